// Reads VGG-16 and VGG-19 from the HDF5 files of Keras applications.
//
// Understood: "..._notop.h5" and full files (the dense layers are ignored), in all layouts of keras_layers.hpp.
// TensorFlow order only: HWIO. These are Caffe's
// weights: they want BGR in 0..255 minus (103.939, 116.779, 123.68). Here the input channels of conv1_1 are swapped, so
// that the network wants RGB minus (123.68, 116.779, 103.939).
// Source: keras-applications vgg16.py, vgg19.py, imagenet_utils.py (mode "caffe").
#pragma once
#include <string>

#include "engine/io/weights_file.hpp"
#include "weights_import/files/tensor_file.hpp"
#include "weights_import/import_options.hpp"

namespace chiaro {

// depth: 16 or 19. up_to_layer: read only what this layer needs ("relu4_2", "pool4"); "" reads all
// convolutions. Parameters: conv1_1.weight (64,3,3,3) KRSC, conv1_1.bias (64), ... in the order of the
// network. Throws Error for a file that is not this network, saying what it is or lacks and what was
// expected.
WeightsFile import_keras_vgg(const TensorFile& file, int depth, const std::string& up_to_layer = "",
                             const ImportOptions& options = {});

}  // namespace chiaro
