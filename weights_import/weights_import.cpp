#include "weights_import/weights_import.hpp"

#include <optional>

#include "engine/io/trial.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/networks.hpp"
#include "weights_import/files/hdf5_file.hpp"
#include "weights_import/files/mat_file.hpp"
#include "weights_import/files/safetensors_network.hpp"
#include "weights_import/keras_vgg.hpp"
#include "weights_import/matconvnet_upproj.hpp"
#include "weights_import/matconvnet_vgg.hpp"
#include "weights_import/network_imports.hpp"

namespace chiaro {
namespace {

void check_known_preprocess(const TensorFile& file, const ImportOptions& options) {
  if (options.preprocess == "auto" || options.preprocess == "caffe") return;
  throw Error("{}: --preprocess {} contradicts the file: {} holds Caffe's weights, which want caffe",
              file.file(), options.preprocess, file.format());
}

// What a file that says what it holds says: chiaro's own, a checkpoint, or one that chiaro exported.
std::optional<WeightsFile> own_network(const TensorFile& file, const ImportOptions& options) {
  if (const auto* hdf5 = dynamic_cast<const Hdf5File*>(&file)) {
    if (hdf5->holds() == Hdf5File::Holds::Weights) return read_weights(hdf5->reader());
    if (hdf5->holds() == Hdf5File::Holds::Checkpoint && options.checkpoint) return options.checkpoint(*hdf5);
    if (hdf5->holds() == Hdf5File::Holds::Checkpoint)
      throw Error("{}: is a checkpoint of a training, expected a network: give the model.h5 of its run",
                  file.file());
  }
  const auto* safetensors = dynamic_cast<const SafetensorsFile*>(&file);
  if (safetensors && holds_network(*safetensors)) return read_network(*safetensors);
  return std::nullopt;
}

void check_own(const WeightsFile& weights, const std::string& file, const std::string& kind,
               const ImportOptions& options) {
  if (weights.kind != kind)
    throw Error("{}: holds a network of kind '{}', expected '{}'", file, weights.kind, kind);
  const std::string convention = parse_preprocess(weights.preprocess, file).convention;
  if (options.preprocess != "auto" && options.preprocess != convention)
    throw Error("{}: --preprocess {} contradicts the file, which says {}", file, options.preprocess,
                convention);
}

}  // namespace

WeightsFile import_network(const TensorFile& file, const std::string& kind, const ImportOptions& options) {
  if (auto own = own_network(file, options)) {
    check_own(*own, file.file(), kind, options);
    return *std::move(own);
  }
  if (kind == "transform_net") return import_transform_net(file, options);
  const auto* matlab = dynamic_cast<const MatFile*>(&file);
  if (kind == "resnet_upproj") {
    if (!matlab) return import_resnet_upproj(file, options);
    return import_matconvnet_upproj(
        *matlab, options.padding == "auto" ? std::nullopt : std::optional(options.padding), options.progress);
  }
  const int depth = kind == "vgg16" ? 16 : 19;
  const bool keras = dynamic_cast<const Hdf5File*>(&file) != nullptr;
  if (!matlab && !keras) return import_vgg(file, depth, options);
  check_known_preprocess(file, options);
  return matlab ? import_matconvnet_vgg(*matlab, depth, options.progress)
                : import_keras_vgg(file, depth, "", options);
}

WeightsFile load_network(const std::filesystem::path& path, const std::string& kind,
                         const ImportOptions& options) {
  network_kind(kind, path.string());
  ImportOptions silent = options;
  silent.progress = nullptr;
  const auto file =
      open_tensor_file(path, [&](const TensorFile& tried) { import_network(tried, kind, silent); });
  return import_network(*file, kind, options);
}

}  // namespace chiaro
