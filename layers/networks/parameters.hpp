// What every description of a network is made of: its parameters by name and shape, their names in PyTorch,
// and the JSON that a weights file keeps of it.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "engine/param_store.hpp"

namespace chiaro {

// As a file holds it: weights of convolutions (K,R,S,C), vectors (C), the tables of several styles
// (rows,1,1,C).
struct ParameterShape {
  std::string name;
  std::vector<std::int64_t> shape;
  bool operator==(const ParameterShape&) const = default;
};

std::int64_t count_of(const std::vector<std::int64_t>& shape);

// Adds a parameter of that shape to the store, or finds it there.
inline Param declare(ParamStore& store, const ParameterShape& parameter) {
  const auto& s = parameter.shape;
  return add_param(store, parameter.name,
                   s.size() == 1 ? Shape{1, 1, 1, s[0]} : Shape{s[0], s[1], s[2], s[3]});
}

enum class TensorLayout {
  Same,
  ChannelsLast,  // (a,r,s,b) here, (a,b,r,s) there
  OutputLast,    // (k,r,s,c) here, (r,s,c,k) there: TensorFlow's HWIO
  Zeros,         // not kept here: written as zeros, ignored when read
};

// A parameter and its counterpart in the state dict of another framework.
struct TensorMapping {
  std::string native;                      // "" for Zeros
  std::vector<std::int64_t> native_shape;  // for Zeros the foreign shape
  std::string foreign;
  TensorLayout layout = TensorLayout::Same;

  std::vector<std::int64_t> foreign_shape() const;
  std::int64_t count() const { return count_of(native_shape); }
};

// One tensor whose name stays; four dimensions are taken for a convolution.
TensorMapping same_name_mapping(const ParameterShape& parameter);

// json[key], an integer from range.first to range.second; `standard` where there is no such key. Other
// values, 1.5 and true among them, are Errors.
std::int64_t parse_integer(const nlohmann::json& json, const char* key,
                           std::pair<std::int64_t, std::int64_t> range);
std::int64_t parse_integer(const nlohmann::json& json, const char* key,
                           std::pair<std::int64_t, std::int64_t> range, std::int64_t standard);

// The index of json[key] in names; anything else is an Error that lists them.
std::size_t parse_name(const nlohmann::json& json, const char* key, const std::vector<std::string>& names);
// The same for an enum whose values are the names' indices; `standard` where there is no such key.
template <class Enum, std::size_t N>
Enum parse_choice(const nlohmann::json& json, const char* key, const std::array<const char*, N>& names) {
  return static_cast<Enum>(parse_name(json, key, {names.begin(), names.end()}));
}

// Calls parse(json) for a JSON object; whatever is wrong becomes an Error "FILE: the architecture of the
// NETWORK is not usable: ...".
void parse_architecture(const std::string& text, const std::string& file, const char* network,
                        const std::function<void(const nlohmann::json&)>& parse);

}  // namespace chiaro
