// VGG-16 and VGG-19 as MatConvNet distributes them: imagenet-vgg-verydeep-16.mat and -19.mat.
//
// Understood: layers with a cell `weights` {filters, biases} and, of early versions, with fields `filters`
// and `biases`; the mean picture under `meta.normalization` or `normalization`, of 224x224x3 or 1x1x3,
// averaged per channel, and VGG's usual mean where the file has none. Fully connected layers are ignored.
// These are Caffe's weights, with the first layer's channels already swapped: RGB in 0..255 minus the mean.
// Filters are (rows, columns, in, out), see matconvnet_net.hpp. Where VGG-19's first layer turns out to be
// the transpose of the released one, the file was written with columns first and is read so.
#pragma once
#include "engine/io/weights_file.hpp"
#include "weights_import/matconvnet_net.hpp"

namespace chiaro {

// depth: 16 or 19. Parameters and their order as import_keras_vgg() has them; the width is that of the file.
// Throws Error for a file that is not this network, saying what it is or lacks and what was expected.
WeightsFile import_matconvnet_vgg(const MatFile& file, int depth, const MatConvNetProgress& progress = {});

}  // namespace chiaro
