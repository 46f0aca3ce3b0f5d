#include "weights_import/tensor_table.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "engine/io/h5_file.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

std::string some_names(const TensorFile& file) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> names;
  for (const TensorInfo& tensor : file.tensors()) {
    if (names.size() == kShown) break;
    names.push_back(fmt::format("'{}' {}", tensor.name, shape_text(tensor.shape)));
  }
  return fmt::format("{} tensors: {}{}", file.tensors().size(), listed(names),
                     file.tensors().size() > kShown ? ", ..." : "");
}

const TensorInfo& require_tensor(const TensorFile& file, const TensorMapping& mapping) {
  const TensorInfo* found = file.find(mapping.foreign);
  if (!found) {
    std::vector<std::string> names;
    for (const TensorInfo& tensor : file.tensors()) names.push_back(tensor.name);
    throw Error("{}: no tensor '{}'{}; the file is incomplete or holds another network", file.file(),
                mapping.foreign, did_you_mean(mapping.foreign, names));
  }
  const auto expected = mapping.foreign_shape();
  if (found->shape != expected) {
    throw Error("{}: tensor '{}' has shape {}, expected {}", file.file(), mapping.foreign,
                shape_text(found->shape), shape_text(expected));
  }
  return *found;
}

}  // namespace

std::string guess_network(const TensorFile& file) {
  const auto has = [&](const char* name) { return file.find(name) != nullptr; };
  if (has("conv1.conv2d.weight") && has("deconv3.conv2d.weight"))
    return "a style network of pytorch/examples (transform_net)";
  for (const std::string prefix : {"features.", ""}) {
    const TensorInfo* first = file.find(prefix + "0.weight");
    if (!first || first->shape.size() != 4) continue;
    if (file.find(prefix + "1.running_mean")) return "a VGG with batch norm";
    if (first->shape[2] == 3 && file.find(prefix + "16.weight")) return "torchvision's VGG-19 (vgg19)";
    if (first->shape[2] == 3 && file.find(prefix + "17.weight")) return "torchvision's VGG-16 (vgg16)";
  }
  if (has("layer1.0.conv1.weight")) return "a torchvision ResNet";
  if (has("conv1/weights") && has("layer1_BN/scale")) return "ResNet-UpProj (resnet_upproj)";
  return some_names(file);
}

void throw_wrong_network(const TensorFile& file, const std::string& kind, const std::string& expected) {
  throw Error("{}: does not hold a {}: it is {} with {}; expected {}", file.file(), kind, file.format(),
              guess_network(file), expected);
}

std::vector<NamedTensor> read_tensors(const TensorFile& file, const std::vector<TensorMapping>& mappings,
                                      const ImportOptions& options) {
  std::int64_t total = 0, done = 0;
  for (const TensorMapping& mapping : mappings)
    if (mapping.layout != TensorLayout::Zeros)
      total += require_tensor(file, mapping).count() * element_bytes(ElementType::F32);
  std::vector<NamedTensor> result;
  for (const TensorMapping& mapping : mappings) {
    if (mapping.layout == TensorLayout::Zeros) continue;
    if (options.progress) options.progress(done, total);
    const TensorInfo& info = require_tensor(file, mapping);
    const std::vector<float> values = file.read(info);
    check_finite(info.name, values, file.file());
    result.push_back(to_native(mapping, values));
    done += info.count() * element_bytes(ElementType::F32);
  }
  if (options.progress) options.progress(done, total);
  return result;
}

std::vector<NamedTensor> in_order(std::vector<NamedTensor> found, const std::vector<ParameterShape>& wanted,
                                  const std::string& network, const std::string& file) {
  std::unordered_map<std::string, NamedTensor*> by_name;
  for (NamedTensor& tensor : found) by_name.emplace(tensor.name, &tensor);
  std::vector<NamedTensor> ordered;
  std::vector<std::string> missing;
  for (const auto& [name, shape] : wanted) {
    const auto it = by_name.find(name);
    if (it == by_name.end()) {
      missing.push_back(name);
      continue;
    }
    if (it->second->shape != shape)
      throw Error("{}: tensor '{}' has shape {}, expected {}", file, name, shape_text(it->second->shape),
                  shape_text(shape));
    ordered.push_back(std::move(*it->second));
  }
  if (missing.empty()) return ordered;
  throw Error("{}: lacks {} of the {} tensors of {}: {}; the file is incomplete or another network", file,
              missing.size(), wanted.size(), network, listed(missing));
}

std::string import_provenance(const TensorFile& file, const std::string& note) {
  nlohmann::ordered_json json{{"source", std::filesystem::path(file.file()).filename().string()},
                              {"format", file.format()},
                              {"tool", "chiaro weights_import"}};
  if (!note.empty()) json["note"] = note;
  return json.dump();
}

}  // namespace chiaro
