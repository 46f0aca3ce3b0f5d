#include "weights_import/state_dict_names.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/vgg_convs.hpp"

namespace chiaro {
namespace {

using Dims = std::vector<std::int64_t>;

std::string text(const Dims& shape) {
  std::vector<std::string> parts;
  for (const std::int64_t extent : shape) parts.push_back(std::to_string(extent));
  return "(" + listed(parts, ",") + ")";
}

std::int64_t count(const Dims& shape) {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

// Bounds as in layers/nets: no real network exceeds them, and hostile files ask for no absurd amounts of
// memory.
std::int64_t integer(const nlohmann::json& json, const char* key, std::int64_t low, std::int64_t high) {
  const auto& value = json.at(key);
  const bool good = value.is_number_integer() && value >= low && value <= high;
  require(good, "'{}' is {}, expected an integer between {} and {}", key, value.dump(), low, high);
  return value.get<std::int64_t>();
}

std::string option(const nlohmann::json& json, const char* key, const char* first, const char* second) {
  const auto& value = json.at(key);
  require(value == first || value == second, "'{}' is {}, expected \"{}\" or \"{}\"", key, value.dump(),
          first, second);
  return value.get<std::string>();
}

class TransformNames {
 public:
  std::vector<TensorMapping> list;

  void conv(const std::string& native, const std::string& foreign, std::int64_t k, std::int64_t extent,
            std::int64_t c) {
    list.push_back(
        {native + ".weight", {k, extent, extent, c}, foreign + ".conv2d.weight", TensorLayout::ChannelsLast});
    list.push_back({"", {k}, foreign + ".conv2d.bias", TensorLayout::Zeros});
  }
  void up(const std::string& native, const std::string& foreign, std::int64_t k, std::int64_t c,
          bool transposed) {
    conv(native, foreign, k, 3, c);
    if (transposed) list[list.size() - 2].native_shape = {c, 3, 3, k};
  }
  void norm(const std::string& native, const std::string& foreign, std::int64_t c) {
    list.push_back({native + ".gamma", {c}, foreign + ".weight", TensorLayout::Same});
    list.push_back({native + ".beta", {c}, foreign + ".bias", TensorLayout::Same});
  }
};

// The places of tensors (things with a name and a shape) in a list; each is taken once, by its name and
// shape.
class TensorTable {
 public:
  template <class Tensor>
  TensorTable(const std::vector<Tensor>& tensors, const std::string& where) : where_(where) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (!table_.emplace(tensors[i].name, Place{i, &tensors[i].shape}).second)
        throw Error("{}: two tensors are named '{}'", where, tensors[i].name);
    }
  }

  std::size_t take(const std::string& name, const Dims& shape) {
    const auto found = table_.find(name);
    if (found == table_.end()) {
      std::vector<std::string> names;
      for (const auto& entry : table_) names.push_back(entry.first);
      throw Error("{}: no tensor '{}'{}", where_, name, did_you_mean(name, names));
    }
    const Place place = found->second;
    if (*place.shape != shape)
      throw Error("{}: tensor '{}' has shape {}, expected {}", where_, name, text(*place.shape), text(shape));
    table_.erase(found);
    return place.index;
  }

  void ignore(const std::string& name) { table_.erase(name); }

  void expect_empty() const {
    if (!table_.empty())
      throw Error("{}: tensor '{}' belongs to no layer of this network", where_, table_.begin()->first);
  }

 private:
  struct Place {
    std::size_t index;
    const Dims* shape;
  };
  std::map<std::string, Place> table_;
  const std::string& where_;
};

// Swaps the last two of the dimensions (a, m, n): (a,r*s,b) to (a,b,r*s) and back.
std::vector<float> swapped(const std::vector<float>& values, std::int64_t a, std::int64_t m, std::int64_t n) {
  std::vector<float> result(values.size());
  for (std::int64_t i = 0; i < a; ++i)
    for (std::int64_t j = 0; j < m; ++j)
      for (std::int64_t k = 0; k < n; ++k) result[(i * n + k) * m + j] = values[(i * m + j) * n + k];
  return result;
}

void check_size(const TensorMapping& mapping, const std::vector<float>& values) {
  require(std::ssize(values) == count(mapping.native_shape), "state dict: {} values for '{}' of shape {}",
          values.size(), mapping.foreign, text(mapping.native_shape));
}

}  // namespace

std::string to_json(const TransformArchitecture& architecture) {
  return nlohmann::ordered_json{
      {"width", architecture.width},       {"residual_blocks", architecture.residual_blocks},
      {"upsample", architecture.upsample}, {"padding", architecture.padding},
      {"norm_eps", architecture.norm_eps}, {"output", architecture.output}}
      .dump();
}

TransformArchitecture parse_transform_architecture(const std::string& json_text, const std::string& where) {
  constexpr std::array<std::string_view, 6> kKeys = {"width",   "residual_blocks", "upsample",
                                                     "padding", "norm_eps",        "output"};
  try {
    const auto json = nlohmann::json::parse(json_text);
    require(json.is_object(), "it is no object");
    for (const auto& [key, value] : json.items())
      require(std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end(), "unknown key '{}'", key);
    TransformArchitecture result;
    result.width = integer(json, "width", 1, 1024);
    result.residual_blocks = integer(json, "residual_blocks", 0, 100);
    result.upsample = option(json, "upsample", "nearest", "transposed");
    result.padding = option(json, "padding", "reflect", "zero");
    result.norm_eps = json.at("norm_eps").get<double>();
    require(result.norm_eps > 0 && result.norm_eps < 1, "norm_eps {} is not between 0 and 1",
            result.norm_eps);
    result.output = option(json, "output", "linear", "tanh150");
    return result;
  } catch (const std::exception& e) {
    throw Error("{}: the architecture of the transform network is not usable: {}", where, e.what());
  }
}

Dims TensorMapping::foreign_shape() const {
  const Dims& n = native_shape;
  if (layout == TensorLayout::ChannelsLast) return {n[0], n[3], n[1], n[2]};
  if (layout == TensorLayout::OutputLast) return {n[1], n[2], n[3], n[0]};
  return n;
}

std::int64_t TensorMapping::count() const {
  return chiaro::count(native_shape);
}

std::vector<TensorMapping> transform_net_mappings(const TransformArchitecture& architecture) {
  const std::int64_t w = architecture.width;
  const bool transposed = architecture.upsample == "transposed";
  TransformNames names;
  names.conv("conv1", "conv1", w, 9, 3);
  names.norm("norm1", "in1", w);
  names.conv("conv2", "conv2", 2 * w, 3, w);
  names.norm("norm2", "in2", 2 * w);
  names.conv("conv3", "conv3", 4 * w, 3, 2 * w);
  names.norm("norm3", "in3", 4 * w);
  for (std::int64_t i = 1; i <= architecture.residual_blocks; ++i) {
    const std::string block = "res" + std::to_string(i);
    for (const char* half : {"1", "2"}) {
      names.conv(block + ".conv" + half, block + ".conv" + half, 4 * w, 3, 4 * w);
      names.norm(block + ".norm" + half, block + ".in" + half, 4 * w);
    }
  }
  names.up("up1", "deconv1", 2 * w, 4 * w, transposed);
  names.norm("norm4", "in4", 2 * w);
  names.up("up2", "deconv2", w, 2 * w, transposed);
  names.norm("norm5", "in5", w);
  names.conv("out", "deconv3", 3, 9, w);
  names.list.back() = {"out.bias", {3}, "deconv3.conv2d.bias", TensorLayout::Same};
  return std::move(names.list);
}

std::vector<TensorMapping> vgg_mappings(int depth, std::int64_t width, const std::string& last_conv) {
  require(width >= 1 && width <= 1024, "vgg: width {} is not between 1 and 1024", width);
  std::vector<TensorMapping> list;
  int index = 0, block = 1;
  for (const ConvShape& conv : vgg_convs_up_to(depth, last_conv, static_cast<int>(width))) {
    if (conv.block != block) ++index;  // the pooling between blocks
    block = conv.block;
    const std::string foreign = "features." + std::to_string(index);
    const auto shape = conv.weight_shape();
    list.push_back({conv.name() + ".weight",
                    {shape.begin(), shape.end()},
                    foreign + ".weight",
                    TensorLayout::ChannelsLast});
    list.push_back({conv.name() + ".bias", {conv.out_channels}, foreign + ".bias", TensorLayout::Same});
    index += 2;  // the convolution and its ReLU
  }
  return list;
}

TensorMapping same_name_mapping(const std::string& name, const Dims& native_shape) {
  return {name, native_shape, name,
          native_shape.size() == 4 ? TensorLayout::ChannelsLast : TensorLayout::Same};
}

std::vector<TensorMapping> network_mappings(const std::string& kind, const std::string& architecture,
                                            const std::vector<NamedTensor>& tensors,
                                            const std::string& where) {
  if (kind == "transform_net")
    return transform_net_mappings(parse_transform_architecture(architecture, where));
  if (kind == "vgg16" || kind == "vgg19") {
    try {
      const auto json = nlohmann::json::parse(architecture);
      const std::int64_t width = json.contains("width") ? integer(json, "width", 1, 1024) : 64;
      return vgg_mappings(kind == "vgg16" ? 16 : 19, width, json.value("last_conv", std::string()));
    } catch (const std::exception& e) {
      throw Error("{}: the architecture of the {} network is not usable: {}", where, kind, e.what());
    }
  }
  require(kind == "resnet_upproj", "{}: no names are known for networks of kind '{}'", where, kind);
  std::vector<TensorMapping> list;
  for (const NamedTensor& tensor : tensors) list.push_back(same_name_mapping(tensor.name, tensor.shape));
  return list;
}

NamedTensor to_foreign(const TensorMapping& mapping, const std::vector<float>& values) {
  check_size(mapping, values);
  const Dims& shape = mapping.native_shape;
  if (mapping.layout == TensorLayout::OutputLast)
    return {mapping.foreign, mapping.foreign_shape(),
            swapped(values, 1, shape[0], shape[1] * shape[2] * shape[3])};
  if (mapping.layout != TensorLayout::ChannelsLast) return {mapping.foreign, shape, values};
  return {mapping.foreign, mapping.foreign_shape(), swapped(values, shape[0], shape[1] * shape[2], shape[3])};
}

NamedTensor to_native(const TensorMapping& mapping, const std::vector<float>& values) {
  require(mapping.layout != TensorLayout::Zeros, "state dict: '{}' has no counterpart", mapping.foreign);
  check_size(mapping, values);
  if (mapping.layout == TensorLayout::Same) return {mapping.native, mapping.native_shape, values};
  const Dims& shape = mapping.native_shape;
  if (mapping.layout == TensorLayout::OutputLast)
    return {mapping.native, shape, swapped(values, 1, shape[1] * shape[2] * shape[3], shape[0])};
  return {mapping.native, shape, swapped(values, shape[0], shape[3], shape[1] * shape[2])};
}

std::vector<NamedTensor> to_state_dict(const WeightsFile& weights) {
  const std::string where = "the network of kind '" + weights.kind + "'";
  TensorTable table(weights.parameters, where);
  std::vector<NamedTensor> result;
  for (const TensorMapping& m :
       network_mappings(weights.kind, weights.architecture, weights.parameters, where)) {
    if (m.layout == TensorLayout::Zeros)
      result.push_back({m.foreign, m.foreign_shape(),
                        std::vector<float>(static_cast<std::size_t>(count(m.native_shape)))});
    else
      result.push_back(to_foreign(m, weights.parameters[table.take(m.native, m.native_shape)].values));
  }
  table.expect_empty();
  return result;
}

std::vector<NamedTensor> from_state_dict(const std::vector<TensorMapping>& mappings, const TensorFile& file) {
  TensorTable table(file.tensors(), file.file());
  std::vector<NamedTensor> result;
  for (const TensorMapping& m : mappings) {
    if (m.layout == TensorLayout::Zeros)
      table.ignore(m.foreign);
    else
      result.push_back(to_native(m, file.read(table.take(m.foreign, m.foreign_shape()))));
  }
  table.expect_empty();
  return result;
}

}  // namespace chiaro
