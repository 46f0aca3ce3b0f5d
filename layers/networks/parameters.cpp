#include "layers/networks/parameters.hpp"

#include <functional>
#include <nlohmann/json.hpp>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

std::int64_t count_of(const std::vector<std::int64_t>& shape) {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

std::vector<std::int64_t> TensorMapping::foreign_shape() const {
  const auto& n = native_shape;
  if (layout == TensorLayout::ChannelsLast) return {n[0], n[3], n[1], n[2]};
  if (layout == TensorLayout::OutputLast) return {n[1], n[2], n[3], n[0]};
  return n;
}

TensorMapping same_name_mapping(const ParameterShape& parameter) {
  return {parameter.name, parameter.shape, parameter.name,
          parameter.shape.size() == 4 ? TensorLayout::ChannelsLast : TensorLayout::Same};
}

std::int64_t parse_integer(const nlohmann::json& json, const char* key,
                           std::pair<std::int64_t, std::int64_t> range) {
  const auto& value = json.at(key);
  const bool usable = value.is_number_integer() && value >= range.first && value <= range.second;
  require(usable, "'{}' is {}, expected an integer between {} and {}", key, value.dump(), range.first,
          range.second);
  return value.get<std::int64_t>();
}

std::int64_t parse_integer(const nlohmann::json& json, const char* key,
                           std::pair<std::int64_t, std::int64_t> range, std::int64_t standard) {
  return json.contains(key) ? parse_integer(json, key, range) : standard;
}

std::size_t parse_name(const nlohmann::json& json, const char* key, const std::vector<std::string>& names) {
  const auto& value = json.at(key);
  for (std::size_t i = 0; i < names.size(); ++i)
    if (value == names[i]) return i;
  throw Error("'{}' is {}, expected \"{}\"", key, value.dump(), listed(names, "\" or \""));
}

void parse_architecture(const std::string& text, const std::string& file, const char* network,
                        const std::function<void(const nlohmann::json&)>& parse) {
  try {
    const auto json = nlohmann::json::parse(text);
    require(json.is_object(), "it is no object");
    parse(json);
  } catch (const std::exception& e) {
    throw Error("{}: the architecture of the {} is not usable: {}", file, network, e.what());
  }
}

}  // namespace chiaro
