#include "weights_import/keras_layers.hpp"

#include <algorithm>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts{""};
  for (const char c : path) {
    if (c == '/')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

// A variable as the versions of Keras call it; Keras 3 counts them.
std::vector<std::string_view> spellings(std::string_view variable) {
  if (variable == "kernel") return {"kernel", "W_1", "0"};
  if (variable == "bias") return {"bias", "b_1", "1"};
  if (variable == "gamma") return {"gamma", "0"};
  if (variable == "beta") return {"beta", "1"};
  if (variable == "moving_mean") return {"moving_mean", "2"};
  return {"moving_variance", "3"};
}

}  // namespace

KerasLayers::KerasLayers(const TensorFile& file) : file_(file) {
  for (const TensorInfo& tensor : file.tensors()) {
    std::vector<std::string> parts = parts_of(tensor.name);
    if (std::ranges::any_of(parts, [](const auto& part) { return part.starts_with("optimizer"); })) continue;
    std::string variable = std::move(parts.back());
    parts.pop_back();
    if (variable.ends_with(":0")) variable.resize(variable.size() - 2);
    if (!parts.empty() && parts.back() == "vars") parts.pop_back();
    if (parts.empty()) continue;
    const std::string& layer = parts.back();
    if (variable.starts_with(layer + "_")) variable.erase(0, layer.size() + 1);
    if (layers_.try_emplace(layer).second) names_.push_back(layer);
    layers_[layer].try_emplace(variable, &tensor);
  }
}

const TensorInfo* KerasLayers::find(const std::string& layer, std::string_view variable) const {
  const auto found = layers_.find(layer);
  if (found == layers_.end()) return nullptr;
  for (const std::string_view spelling : spellings(variable))
    if (const auto tensor = found->second.find(spelling); tensor != found->second.end())
      return tensor->second;
  return nullptr;
}

const TensorInfo& KerasLayers::require(const std::string& layer, std::string_view variable,
                                       const std::string& expected) const {
  if (const TensorInfo* tensor = find(layer, variable)) return *tensor;
  if (!has(layer))
    throw Error("{}: no layer '{}'; the file is incomplete: expected {}", file_.file(), layer, expected);
  std::vector<std::string> variables;
  for (const auto& [name, tensor] : layers_.at(layer)) variables.push_back("'" + name + "'");
  throw Error(
      "{}: layer '{}' has no {}, found {}; the file is incomplete or laid out in an unknown way: expected {}",
      file_.file(), layer, variable, listed(variables), expected);
}

std::string KerasLayers::found() const {
  constexpr std::size_t kShown = 4;
  if (names_.empty()) return "found no layers";
  const std::vector<std::string> shown(names_.begin(), names_.begin() + std::min(names_.size(), kShown));
  return fmt::format("found layers {}{}", listed(shown),
                     names_.size() > kShown ? fmt::format(" and {} more", names_.size() - kShown) : "");
}

}  // namespace chiaro
