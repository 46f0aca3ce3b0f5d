// Where the training of a VGG in factors of low rank begins: at what linear algebra makes of the whole one's
// filters.
//
// One convolution after the other, from the first: y = response of the whole network, x = what the same
// filters W give on what the factors so far pass on, both over the pixels of some batches. The best map of
// rank r from x to y in the mean square, U (r columns, orthonormal) times P, splits the convolution: filters
// P W, then the 1x1 filters U, and the bias that gives the means back. So each convolution makes up for what
// those before it lose.
//   M = C_yx (C_xx + ridge)^-1,  U = dominant space of M C_xx M^T,  P = U^T M,  C: covariances of responses
// Source: reduced-rank regression, Izenman 1975; responses and the asymmetric form as Zhang, Zou, He, Sun
// 2015, arXiv:1505.06798, without their nonlinear term, which the training that follows replaces.
#pragma once
#include <string>
#include <vector>

#include "engine/data/batch_builder.hpp"
#include "layers/networks/loss_network.hpp"
#include "layers/networks/vgg/vgg.hpp"

namespace chiaro {

// Fills the allocated store with the parameters of `factors` up to the deepest of `layers`.
//   whole_weights   the whole network's file
//   whole           the same network, loaded with the convolutions up to the deepest
//   batches         batches 0, 1, ... of them are looked at, square photos of picture.h
//   picture         (N,H,H,3): shape of a batch
// Deterministic. Errors: a convolution that is missing; responses that are 0 in all the pictures.
struct DistillStart {
  const WeightsFile& whole_weights;
  LossNetwork& whole;
  const Vgg& factors;
  const std::vector<std::string>& layers;
};
void start_from_whole(Context& context, const DistillStart& start, BatchBuilder& batches, Shape picture,
                      ParamStore& params);

}  // namespace chiaro
