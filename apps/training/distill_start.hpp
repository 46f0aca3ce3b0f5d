// Where the training of a narrow VGG that imitates a wide one begins: at the best narrow network that linear
// algebra makes of the wide one's filters.
//
// From the second moments E[f_i f_j] of the wide network's features over some batches, each layer keeps the
// channels that explain most of the others, with their filters and biases; what the next layer loses it is
// given back as far as it depends linearly on what was kept: a filter W on all channels becomes W B on the
// chosen ones, B the least-squares reconstruction of all from these. The adapters begin as such
// reconstructions too. Source: channel pruning with reconstruction, He, Zhang, Sun 2017, arXiv:1707.06168;
// the choice of channels by pivoted Cholesky is ours.
#pragma once
#include <string>
#include <vector>

#include "engine/data/batch_builder.hpp"
#include "layers/nets/loss_network.hpp"

namespace chiaro {

// Fills the allocated store: the parameters of `narrow` and the adapters of the features `layers`.
//   wide_weights   the wide network's file; its parameters are read
//   wide           the same network, loaded with `layers`
//   batches        batches 0, 1, ... of them are looked at, square photos of picture.h
//   picture        (N,H,H,3): shape of a batch
// Deterministic. Error: a feature that is 0 in all the pictures.
struct DistillStart {
  const WeightsFile& wide_weights;
  LossNetwork& wide;
  const VggConfig& wide_config;
  const VggConfig& narrow_config;
  const std::vector<std::string>& layers;
};
void start_from_wide(Context& context, const DistillStart& start, BatchBuilder& batches, Shape picture,
                     DType dtype, ParamStore& params);

}  // namespace chiaro
