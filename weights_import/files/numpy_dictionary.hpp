// Networks as np.save(path, {layer: {parameter: array}}) writes them: a .npy file whose one element is a
// pickled dictionary. So the released FCRN (ResNet-UpProj) and other networks converted by caffe-tensorflow
// come. From Python 2 and 3, pickle protocols 0 to 5.
#pragma once
#include <filesystem>
#include <memory>

#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

// Tensors are named "layer/parameter", or "name" where the dictionary holds an array directly. Checks all
// names, shapes and sizes. A plain array, deeper dictionaries and other values are Errors.
std::unique_ptr<TensorFile> open_numpy_dictionary(const std::filesystem::path& path);

}  // namespace chiaro
