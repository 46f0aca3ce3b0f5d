// Nearest-neighbor upsampling by 2 followed by a 3x3 convolution, without the upsampled tensor.
//
// Every output pixel of phase (a,b), a = row parity, b = column parity, sees only 2x2 distinct low-resolution
// pixels, so the pair is one 2x2 convolution with 4K outputs on the low-resolution input and an interleave:
// 16/36 of the multiply-adds. With a reflection pad of 1 after the upsampling, the low-resolution input needs
// a replicated border of 1 (upsampled row -1 reflects to row 1, which is low-resolution row 0); with zero
// padding, a border of zeros. Input: x (N,H+2,W+2,C), border included, written by the norm before it; or
// (N,H,W,C) with zero_pad. Weight (K,3,3,C), no bias. Output (N,2H,2W,K). Backward reads x.
// Source: the identity is exact; tests compare with the plain pair on integers.
#pragma once
#include <memory>

#include "engine/layer.hpp"
#include "kernels/conv2d/conv2d.hpp"
#include "kernels/pixel_shuffle/pixel_shuffle.hpp"

namespace chiaro {

class UpsampleConvLayer : public Layer {
 public:
  UpsampleConvLayer(Param weight, bool zero_pad) : weight_(weight), zero_pad_(zero_pad) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  std::vector<Param> params() const override { return {weight_}; }
  const char* type() const override { return "upsample_conv"; }
  std::int64_t multiply_adds() const override;

 private:
  struct Workspace {
    TensorView phases;
    float* folded;  // 2x2 weights (4K,2,2,C), or their gradient
    void* convolution;
  };
  Workspace cut(void* workspace) const;
  std::int64_t folded_bytes() const;

  Param weight_;
  bool zero_pad_;
  std::unique_ptr<conv2d::Plan> plan_;
  TensorSpec phases_;           // (N,H+1,W+1,4K): the convolution's output
  std::int64_t alignment_ = 0;  // of the workspace's parts
};

}  // namespace chiaro
