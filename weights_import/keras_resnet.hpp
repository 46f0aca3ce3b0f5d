// Reads ResNet-50 (v1) from the HDF5 files of Keras applications, as the encoder of a depth network.
//
// Understood: names of keras-applications 1.0.8 and later (conv1_conv/conv1_conv/kernel:0,
// conv2_block1_1_bn/conv2_block1_1_bn/gamma:0, ...), in all layouts of keras_layers.hpp; dense layers are ignored.
// Stage conv5 may be absent as a whole. TensorFlow order only: HWIO. Keras strides the first 1x1 convolution
// of a stage, as ResNet-UpProj does. Tensors are named by ResNet-UpProj's scopes: conv{stage}_block{i}_1_conv
// becomes res{stage}{a,b,...}_branch2a, _0_conv its branch1; with {scope}.bias, because Keras' convolutions
// have biases.
//
// These are Caffe's weights: they want BGR in 0..255 minus (103.939, 116.779, 123.68). Here the input
// channels of conv1 are swapped, so that the network wants RGB minus (123.68, 116.779, 103.939). Keras'
// batch norms have epsilon 1.001e-5, ResNet-UpProj's 1e-4: the difference goes into the variance, which
// becomes variance + 1.001e-5 - 1e-4. That may be as small as -9e-5; with the epsilon it stays positive.
// Source: keras-applications resnet_common.py, imagenet_utils.py (mode "caffe").
#pragma once
#include <vector>

#include "engine/io/weights_file.hpp"
#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

struct ImportedEncoder {
  std::vector<NamedTensor> tensors;  // in the order of the network
  Preprocess preprocess;
};

// Throws Error for a file that is not this network, saying what it is or lacks and what was expected.
ImportedEncoder import_keras_resnet50(const TensorFile& file);

}  // namespace chiaro
