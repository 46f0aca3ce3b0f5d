// Keras' HDF5 files by layer and variable, however the version that wrote one arranges them:
//
//   block1_conv1/block1_conv1_W_1:0                 2016
//   block1_conv1/block1_conv1/kernel:0              2017 and later, also without ":0"
//   model_weights/..., vgg19/block1_conv1/...       whole models, and models inside models
//   layers/block1_conv1/vars/0, layers/conv2d_1/vars/0, _layer_checkpoint_dependencies/...    Keras 3
//
// What an optimizer keeps of the same layers is left out.
// Source: keras/src/saving/saving_lib.py, legacy_h5_format.py.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

class KerasLayers {
 public:
  explicit KerasLayers(const TensorFile& file);

  const TensorFile& file() const { return file_; }
  bool has(const std::string& layer) const { return layers_.contains(layer); }
  // "kernel", "bias"; "gamma", "beta", "moving_mean", "moving_variance". Null when the layer has none.
  const TensorInfo* find(const std::string& layer, std::string_view variable) const;
  // The same, an Error when there is none: the file is incomplete, and what the layer has.
  const TensorInfo& require(const std::string& layer, std::string_view variable,
                            const std::string& expected) const;
  // "found layers a, b, c, d and 3 more", for messages.
  std::string found() const;

 private:
  using Layer =
      std::map<std::string, const TensorInfo*, std::less<>>;  // by the last part of the name, without ":0"

  const TensorFile& file_;
  std::map<std::string, Layer> layers_;
  std::vector<std::string> names_;  // in the order of the file
};

}  // namespace chiaro
