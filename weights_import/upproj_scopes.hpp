// The parameters of ResNet-UpProj under the names of the released networks.
//
// {scope}.weight (K,R,S,C), {scope}.bias (C), and for batch norms {scope}.scale, .offset, .mean, .variance
// (C), epsilon 1e-4. Scopes are those of FCRN-DepthPrediction's TensorFlow network: conv1, bn_conv1,
// res2a_branch1,
// ..., layer1, layer1_BN, layer2x_br1_ConvA, ..., ConvPred.
// Source: Laina et al. 2016, arXiv:1606.00373; irolaina/FCRN-DepthPrediction, tensorflow/models.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/io/weights_file.hpp"

namespace chiaro {

struct UpprojTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

// width: channels of the stem, 64 in the released networks; everything else scales with it. has_stage5: false
// where res5a to res5c are left out.
std::vector<UpprojTensor> upproj_tensors(int width, bool has_stage5);

// Puts tensors into the order of upproj_tensors(). Missing ones, all of them named, and wrong shapes are
// Errors that begin with `file`; others than these tensors are dropped.
std::vector<NamedTensor> complete_upproj(std::vector<NamedTensor> found, int width, bool has_stage5,
                                         const std::string& file);

}  // namespace chiaro
