// ResNet-UpProj as released for MatConvNet: NYU_ResNet-UpProj.mat and Make3D_ResNet-UpProj.mat, DagNN networks.
//
// Layers name their parameters in order: a convolution its filters and bias, a batch norm its multipliers, biases and
// moments. Layers are recognized by the scopes of ResNet-UpProj's description, whatever the case and with '-' or '.' for '_';
// parameters that no layer names by the endings that MatConvNet gives them (conv1_filter, bn_conv1_moments, ...).
// Moments are (C,2): mean and sqrt(variance + epsilon), so that the variance here is the second column squared minus
// 1e-4, the epsilon of our network, whatever the layer's own; it may be slightly negative. The side that the 2-tap
// kernels of up-projections pad (ResnetUpproj::Side) is told by the `pad` of those layers, [top bottom
// left right]; failing that by meta.normalization.imageSize: 228x304 is NYU, 230x173 and 460x345 are Make3D. Pictures
// are fed plain, RGB 0..255.
// Source: vlfeat/matconvnet, matlab/+dagnn, vl_nnbnorm; irolaina/FCRN-DepthPrediction, matlab/evaluate*.m and issue
// #40.
#pragma once
#include <optional>
#include <string>

#include "engine/io/weights_file.hpp"
#include "weights_import/matconvnet_net.hpp"

namespace chiaro {

// Tensors in the order of upproj_tensors(); the width is that of the file. padding: "nyu" or "make3d"
// overrides what the file says. Throws Error for a file that is not this network, saying what it is or lacks
// and what was expected.
WeightsFile import_matconvnet_upproj(const MatFile& file,
                                     const std::optional<std::string>& padding = std::nullopt,
                                     const MatConvNetProgress& progress = {});

}  // namespace chiaro
