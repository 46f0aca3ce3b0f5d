// ResNet-UpProj as it is trained: the network of resnet_upproj.hpp with its batch norms in training form.
//
// Convolutions before a batch norm have no bias, which the norm would cancel; ConvPred keeps its own. An
// up-projection interleaves four convolutions per branch and normalizes the interleaved tensor; sums and
// ReLUs are fused into the batch norms. Parameters have the names of a file ({scope}.weight, {norm}.scale,
// {norm}.offset) and belong to a trainable store; running statistics ({norm}.mean, {norm}.variance) to a
// frozen one, which forward passes update. A training state is both stores; together with biases of 0 where
// the file format wants them they are a file, which load_resnet_upproj() reads into the inference form.
// Sources: those of resnet_upproj.hpp; He et al. 2015, arXiv:1502.01852, for the initial values.
#pragma once
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "layers/networks/resnet_upproj/resnet_upproj.hpp"

namespace chiaro {

// The weight of a batch in the running statistics: FCRN's own training is not published, this is PyTorch's
// default.
inline constexpr float kResnetUpprojMomentum = 0.1f;

// Appends the network and returns its prediction (N, H', W', 1) in meters, fp32 for either dtype. picture:
// (N,H,W,3), RGB 0..255; nodes are named as the file's scopes. A picture so small that a batch norm would
// see one pixel per channel is an Error.
TensorId build_resnet_upproj_training(Graph& graph, ParamStore& params, ParamStore& statistics,
                                      TensorId picture, const ResnetUpproj& config, DType dtype,
                                      float momentum = kResnetUpprojMomentum);

// First values of allocated stores: weights normal with variance 2 / fan-in (He), scale 1, offset 0, mean 0,
// variance 1, and 2.5 m for the bias of the prediction, so that the ReLU behind it is open. A function of
// seed and names alone.
void initialize_resnet_upproj(ParamStore& params, ParamStore& statistics, const ResnetUpproj& config,
                              std::uint64_t seed);

// Replaces the encoder (conv1 to res5c) by given tensors under a file's names. A convolution may have a
// bias: it goes into the running mean, which becomes mean - bias. Without any res5 tensors stage 5 keeps its
// values; other missing tensors and wrong shapes are Errors that name `file`. Tensors that are no part of the
// encoder are ignored.
void load_encoder(ParamStore& params, ParamStore& statistics, const ResnetUpproj& config,
                  const std::vector<NamedTensor>& tensors, const std::string& file);

// Everything a weights file holds, in its order; see parameters().
std::vector<NamedTensor> resnet_upproj_file_tensors(const ParamStore& params, const ParamStore& statistics,
                                                    const ResnetUpproj& config);

}  // namespace chiaro
