#include "weights_import/matconvnet_dagnn.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>

#include "kernels/base/error.hpp"
#include "layers/networks/resnet_upproj/resnet_upproj.hpp"

namespace chiaro {
namespace {

std::string normalized(std::string name) {
  for (char& c : name) {
    c = c == '-' || c == '.' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

struct Scope {
  std::string name;
  bool is_batch_norm = false;
};

// By normalized name.
std::unordered_map<std::string, Scope> known_scopes() {
  std::unordered_map<std::string, Scope> scopes;
  for (const ParameterShape& tensor : parameters(ResnetUpproj{.width = 1})) {
    const std::size_t dot = tensor.name.rfind('.');
    const std::string scope = tensor.name.substr(0, dot);
    scopes[normalized(scope)] = {scope,
                                 tensor.name.substr(dot) != ".weight" && tensor.name.substr(dot) != ".bias"};
  }
  return scopes;
}

constexpr DagnnRole kConvolutionRoles[] = {DagnnRole::Filters, DagnnRole::Bias};
constexpr DagnnRole kBatchNormRoles[] = {DagnnRole::Multipliers, DagnnRole::Offsets, DagnnRole::Moments};

std::span<const DagnnRole> roles_of(const Scope& scope) {
  if (scope.is_batch_norm) return kBatchNormRoles;
  return kConvolutionRoles;
}

// How MatConvNet and its users end the names of parameters: converters from Caffe, from SimpleNN, the
// examples.
struct Ending {
  std::string_view text;
  DagnnRole role;
};
constexpr Ending kConvolutionEndings[] = {
    {"_filters", DagnnRole::Filters}, {"_filter", DagnnRole::Filters}, {"_weights", DagnnRole::Filters},
    {"_weight", DagnnRole::Filters},  {"_f", DagnnRole::Filters},      {"_w", DagnnRole::Filters},
    {"f", DagnnRole::Filters},        {"_biases", DagnnRole::Bias},    {"_bias", DagnnRole::Bias},
    {"_b", DagnnRole::Bias},          {"b", DagnnRole::Bias}};
constexpr Ending kBatchNormEndings[] = {
    {"_mult", DagnnRole::Multipliers}, {"_scale", DagnnRole::Multipliers}, {"_w", DagnnRole::Multipliers},
    {"_bias", DagnnRole::Offsets},     {"_offset", DagnnRole::Offsets},    {"_b", DagnnRole::Offsets},
    {"_moments", DagnnRole::Moments},  {"_m", DagnnRole::Moments},         {"m", DagnnRole::Multipliers},
    {"b", DagnnRole::Offsets},         {"x", DagnnRole::Moments}};

struct Place {
  std::string scope;
  DagnnRole role;
  auto operator<=>(const Place&) const = default;
};

class Mapper {
 public:
  explicit Mapper(const std::vector<MatRecord>& params) : scopes_(known_scopes()) {
    for (const MatRecord& param : params) names_.push_back(param.text("name"));
  }

  const Scope* scope(const std::string& name) const {
    const auto it = scopes_.find(normalized(name));
    return it == scopes_.end() ? nullptr : &it->second;
  }

  // The names of a layer's parameters, in order.
  void take_layer(const Scope& scope, const std::vector<std::string>& params) {
    const auto roles = roles_of(scope);
    for (std::size_t i = 0; i < std::min(params.size(), roles.size()); ++i) {
      const auto name = std::find(names_.begin(), names_.end(), params[i]);
      if (name != names_.end()) take(static_cast<std::size_t>(name - names_.begin()), {scope.name, roles[i]});
    }
  }

  void take_by_name() {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (places_.contains(i)) continue;
      if (auto place = place_of(normalized(names_[i]))) take(i, std::move(*place));
    }
  }

  const std::map<std::size_t, Place>& places() const { return places_; }

 private:
  void take(std::size_t param, Place place) {
    if (!places_.contains(param) && taken_.insert(place).second) places_.emplace(param, std::move(place));
  }
  std::optional<Place> place_of(const std::string& name) const {
    const auto by_endings = [&](std::span<const Ending> endings, bool batch_norm) -> std::optional<Place> {
      for (const Ending& ending : endings) {
        if (!name.ends_with(ending.text)) continue;
        const auto it = scopes_.find(name.substr(0, name.size() - ending.text.size()));
        if (it != scopes_.end() && it->second.is_batch_norm == batch_norm)
          return Place{it->second.name, ending.role};
      }
      return std::nullopt;
    };
    if (auto place = by_endings(kBatchNormEndings, true)) return place;
    return by_endings(kConvolutionEndings, false);
  }

  std::unordered_map<std::string, Scope> scopes_;
  std::vector<std::string> names_;
  std::map<std::size_t, Place> places_;  // by the index of the parameter
  std::set<Place> taken_;
};

// A layer of another type may bear a scope's name, as a ReLU in place.
bool fits(const Scope& scope, const std::string& type) {
  if (type.empty()) return true;
  return normalized(type).ends_with(scope.is_batch_norm ? "batchnorm" : "conv");
}

}  // namespace

Dagnn read_dagnn(const MatFile& file, const MatValue& network, const std::string& expected) {
  const MatValue* params = network.field("params");
  if (!params) {
    throw Error("{}: is a MatConvNet network, but no DagNN: it has no 'params'; expected {}", file.file(),
                expected);
  }
  const std::vector<MatRecord> records = mat_records(*params);
  Mapper mapper(records);
  Dagnn dagnn;
  for (const MatRecord& layer : mat_records(*network.field("layers"))) {
    const std::string name = layer.text("name");
    dagnn.layer_names.push_back(name);
    const Scope* scope = mapper.scope(name);
    if (!scope || !fits(*scope, layer.text("type"))) continue;
    dagnn.layers.try_emplace(scope->name, DagnnLayer{name, layer.field("block")});
    if (const MatValue* names = layer.field("params")) mapper.take_layer(*scope, mat_texts(*names));
  }
  mapper.take_by_name();
  for (const auto& [index, place] : mapper.places()) {
    const MatValue* value = records[index].field("value");
    if (value) dagnn.params.push_back({records[index].text("name"), place.scope, place.role, value});
  }
  return dagnn;
}

}  // namespace chiaro
