#include "weights_import/weights_import.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "engine/io/file_kind.hpp"
#include "engine/io/trial.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/networks.hpp"
#include "weights_import/files/input_file.hpp"
#include "weights_import/files/safetensors_network.hpp"
#include "weights_import/keras_vgg.hpp"
#include "weights_import/matconvnet_upproj.hpp"
#include "weights_import/matconvnet_vgg.hpp"
#include "weights_import/network_imports.hpp"

namespace chiaro {
namespace {

// What people have of each network, for the message when a file is none of it.
std::string readable_files(const std::string& kind) {
  if (kind == "transform_net")
    return "chiaro's own file, or a style network of pytorch/examples (.pth, .safetensors)";
  if (kind == "resnet_upproj")
    return "chiaro's own file, NYU_ResNet-UpProj.npy, or NYU_ or Make3D_ResNet-UpProj.mat";
  const std::string depth = kind == "vgg16" ? "16" : "19";
  return fmt::format(
      "chiaro's own file, Keras' vgg{0}_weights_tf_dim_ordering_tf_kernels_notop.h5, torchvision's "
      "vgg{0}-....pth, or imagenet-vgg-verydeep-{0}.mat",
      depth);
}

// MATLAB 7.3 files are HDF5 behind a text header.
bool is_matlab_hdf5(const std::filesystem::path& path) {
  constexpr std::string_view kHeader = "MATLAB 7.3";
  const InputFile file(path);
  std::array<char, kHeader.size()> head{};
  if (file.bytes() < std::ssize(head)) return false;
  file.read(0, std::as_writable_bytes(std::span(head)), "the header");
  return std::string_view(head.data(), head.size()) == kHeader;
}

void check_known_preprocess(const std::filesystem::path& path, const ImportOptions& options,
                            const char* format) {
  if (options.preprocess == "auto" || options.preprocess == "caffe") return;
  throw Error("{}: --preprocess {} contradicts the file: {} holds Caffe's weights, which want caffe",
              path.string(), options.preprocess, format);
}

WeightsFile load_matconvnet(const std::filesystem::path& path, const std::string& kind,
                            const ImportOptions& options) {
  if (kind == "transform_net") {
    throw Error("{}: no weights for transform_net can be read from it: it is a MATLAB file; expected {}",
                path.string(), readable_files(kind));
  }
  if (kind == "resnet_upproj")
    return import_matconvnet_upproj(
        path, options.padding == "auto" ? std::nullopt : std::optional(options.padding), options.progress);
  check_known_preprocess(path, options, "MatConvNet's file");
  return import_matconvnet_vgg(path, kind == "vgg16" ? 16 : 19, options.progress);
}

// A file that says what it holds: chiaro's own, or one that chiaro exported.
WeightsFile checked(WeightsFile weights, const std::filesystem::path& path, const std::string& kind,
                    const ImportOptions& options) {
  if (weights.kind != kind)
    throw Error("{}: holds a network of kind '{}', expected '{}'", path.string(), weights.kind, kind);
  const std::string convention = parse_preprocess(weights.preprocess, path.string()).convention;
  if (options.preprocess != "auto" && options.preprocess != convention) {
    throw Error("{}: --preprocess {} contradicts the file, which says {}", path.string(), options.preprocess,
                convention);
  }
  return weights;
}

WeightsFile load_hdf5(const std::filesystem::path& path, const std::string& kind,
                      const ImportOptions& options) {
  if (is_native(path)) return checked(read_weights(path), path, kind, options);
  if (is_matlab_hdf5(path)) return load_matconvnet(path, kind, options);
  if (kind.starts_with("vgg")) {
    check_known_preprocess(path, options, "Keras' file");
    return import_keras_vgg(path, kind == "vgg16" ? 16 : 19);
  }
  throw Error("{}: no weights for {} can be read from it: it is {}; expected {}", path.string(), kind,
              describe(FileKind::Hdf5), readable_files(kind));
}

}  // namespace

WeightsFile load_network(const std::filesystem::path& path, const std::string& kind,
                         const ImportOptions& options) {
  network_kind(kind, path.string());
  const FileKind content = file_kind(path);
  switch (content) {
    case FileKind::Hdf5: {
      ImportOptions silent = options;
      silent.progress = nullptr;
      try_in_child(path, [&] { load_hdf5(path, kind, silent); });
      return load_hdf5(path, kind, options);
    }
    case FileKind::Matlab:
      return load_matconvnet(path, kind, options);
    case FileKind::Zip:
    case FileKind::Pickle:
    case FileKind::Numpy:
      return import_network(*open_tensor_file(path), kind, options);
    case FileKind::Safetensors: {
      const auto file = open_safetensors(path);
      if (holds_network(*file)) return checked(read_network(*file), path, kind, options);
      return import_network(*file, kind, options);
    }
    default:
      break;
  }
  throw Error("{}: no weights for {} can be read from it: it is {}; expected {}", path.string(), kind,
              describe(content), readable_files(kind));
}

}  // namespace chiaro
