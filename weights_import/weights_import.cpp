#include "weights_import/weights_import.hpp"

#include <algorithm>

#include "engine/io/file_kind.hpp"
#include "engine/suggest.hpp"
#include "kernels/common/error.hpp"
#include "weights_import/keras_vgg.hpp"

namespace chiaro {
namespace {

// A foreign format: which network it can hold, what its files look like, how it is read.
struct Importer {
  std::string_view kind;
  FileKind content;
  const char* description;
  WeightsFile (*read)(const std::filesystem::path& path);
};

const Importer kImporters[] = {
    {"vgg19", FileKind::Hdf5, "Keras' vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
     [](const std::filesystem::path& path) { return import_keras_vgg(path, 19); }},
    {"vgg16", FileKind::Hdf5, "Keras' vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
     [](const std::filesystem::path& path) { return import_keras_vgg(path, 16); }},
};

}  // namespace

WeightsFile load_network(const std::filesystem::path& path, const std::string& kind) {
  if (std::find(kNetworkKinds.begin(), kNetworkKinds.end(), kind) == kNetworkKinds.end()) {
    throw Error("unknown kind of network '{}', expected {}", kind, listed(kNetworkKinds));
  }
  if (is_native(path)) {
    WeightsFile weights = read_weights(path);
    if (weights.kind == kind) return weights;
    throw Error("{}: holds a network of kind '{}', expected '{}'", path.string(), weights.kind, kind);
  }
  const FileKind content = file_kind(path);
  std::vector<std::string_view> readable = {"chiaro's own weights file"};
  for (const Importer& importer : kImporters) {
    if (importer.kind != kind) continue;
    if (importer.content == content) return importer.read(path);
    readable.push_back(importer.description);
  }
  throw Error("{}: no weights for {} can be read from it: it is {}; expected {}", path.string(), kind,
              describe(content), listed(readable, " or "));
}

}  // namespace chiaro
