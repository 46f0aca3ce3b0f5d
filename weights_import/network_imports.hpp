// Networks out of files of named tensors, whatever the container (see files/tensor_file.hpp).
//
// Architecture and preprocessing are read off names, shapes and, for a VGG, values. Every function throws
// Error, beginning with the file's name, when the file holds another network, lacks a tensor or has one of
// another shape.
#pragma once
#include "engine/io/weights_file.hpp"
#include "weights_import/files/tensor_file.hpp"
#include "weights_import/import_options.hpp"

namespace chiaro {

// pytorch/examples fast_neural_style TransformerNet, any width and number of residual blocks. Running
// statistics of old files and the biases of convolutions before instance norms are ignored; nearest
// up-sampling, reflection padding, epsilon 1e-5 and a linear output are what those networks have. Transposed
// convolutions are recognized by the shapes of deconv1.
WeightsFile import_transform_net(const TensorFile& file, const ImportOptions& options);

// torchvision's key names, "features.{i}.weight" or "{i}.weight", torchvision's or Caffe's values. The
// network may end after any convolution. depth: 16 or 19.
WeightsFile import_vgg(const TensorFile& file, int depth, const ImportOptions& options);

// NYU_ResNet-UpProj.npy ("{scope}/weights", HWIO) or chiaro's own names ("{scope}.weight", OIHW), any width,
// with or without stage 5.
WeightsFile import_resnet_upproj(const TensorFile& file, const ImportOptions& options);

// The network of any file: what it says itself that it is, or one of the above, Keras' or MatConvNet's.
// kind: a name of layers/networks/networks.hpp.
WeightsFile import_network(const TensorFile& file, const std::string& kind, const ImportOptions& options);

}  // namespace chiaro
