// The end of an up-projection branch: interleaves four convolutions, optionally adds a tensor, optionally
// ReLU.
//   y[n, 2i+a, 2j+b, c] = act(phase[2a+b][n, i, j, first_channel + c] + add[n, 2i+a, 2j+b, c])
// Inputs: four phases (N,H,W,C') with C' >= first_channel + channels, then with options.add a tensor of y's
// shape.
// Output: (N,2H,2W,channels). Backward reads y when there is a ReLU, and is one pass over the output's
// gradient. Several interleave layers may read different channel ranges of the same phases.
// Source: Laina et al. 2016, arXiv:1606.00373, section 3.2 ("fast up-projection").
#pragma once
#include "engine/layer.hpp"

namespace chiaro {

struct PixelShuffleOptions {
  std::int64_t channels = 0;
  std::int64_t first_channel = 0;
  bool add = false;
  bool relu = false;
  // Promises that other interleave layers, whose backward passes run whenever this one's does, take all the
  // other channels of the phases: then nobody has to clear the phases' gradients first.
  bool rest_is_taken = false;
};

class PixelShuffleLayer : public Layer {
 public:
  explicit PixelShuffleLayer(PixelShuffleOptions options) : options_(options) {}

  LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) override;
  void forward(Context& context, const NodeIo& io) override;
  void backward(Context& context, const NodeIo& io) override;
  const char* type() const override { return "pixel_shuffle"; }

 private:
  PixelShuffleOptions options_;
};

}  // namespace chiaro
