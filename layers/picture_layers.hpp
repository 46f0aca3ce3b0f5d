// Layers between pictures and networks: pad, crop, preprocessing, output range. None has parameters; all
// are memory-bound and read nothing in backward but, for the output range, their own output.
#pragma once
#include <array>

#include "engine/buffer.hpp"
#include "engine/io/weights_file.hpp"
#include "engine/layer.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro {

// y = x with a border, in the given dtype. (N,H,W,C) -> pad.outer.
class PadLayer : public Layer {
 public:
  PadLayer(Pad pad, DType output_dtype) : pad_(pad), output_dtype_(output_dtype) {}
  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  const char* type() const override { return "pad"; }

 private:
  Pad pad_;
  DType output_dtype_;
};

// y = the top left height x width pixels of x.
class CropLayer : public Layer {
 public:
  CropLayer(std::int64_t height, std::int64_t width) : height_(height), width_(width) {}
  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  const char* type() const override { return "crop"; }

 private:
  std::int64_t height_, width_;
};

// y = (x - mean[c]) * scale[c] for 3 channels, in the given dtype: what a loss network wants done to pixels.
class PreprocessLayer : public Layer {
 public:
  PreprocessLayer(const Preprocess& preprocess, DType output_dtype) : output_dtype_(output_dtype) {
    for (std::size_t c = 0; c < 3; ++c) {
      constants_[c] = static_cast<float>(preprocess.mean[c]);
      constants_[3 + c] = static_cast<float>(preprocess.scale[c]);
    }
  }
  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  const char* type() const override { return "preprocess"; }

 private:
  const float* mean(Context& context);
  const float* scale(Context& context) { return mean(context) + 3; }

  std::array<float, 6> constants_;  // mean, scale
  Buffer on_device_;                // the same, made when they are first needed
  DType output_dtype_;
};

// y = 150 tanh(x) + 127.5 (lengstrom/fast-style-transfer).
class TanhOutputLayer : public Layer {
 public:
  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  const char* type() const override { return "tanh_output"; }
};

}  // namespace chiaro
