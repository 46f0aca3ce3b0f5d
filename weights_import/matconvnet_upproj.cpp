#include "weights_import/matconvnet_upproj.hpp"

#include <fmt/ranges.h>
#include <algorithm>

#include <array>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "engine/io/h5_file.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/resnet_upproj/resnet_upproj.hpp"
#include "weights_import/matconvnet_dagnn.hpp"
#include "weights_import/tensor_table.hpp"

namespace chiaro {
namespace {

constexpr const char* kUsualFiles = "NYU_ResNet-UpProj.mat or Make3D_ResNet-UpProj.mat";
constexpr double kEpsilon = 1e-4;  // of the batch norms of our network
constexpr std::int64_t kWidest = 1024;

using Shapes = std::unordered_map<std::string, std::vector<std::int64_t>>;

Shapes expected_shapes(std::int64_t width) {
  Shapes shapes;
  for (ParameterShape& tensor : parameters(ResnetUpproj{.width = width})) {
    shapes.emplace(std::move(tensor.name), std::move(tensor.shape));
  }
  return shapes;
}

std::int64_t width_of(const MatFile& file, const Dagnn& net) {
  for (const DagnnParam& param : net.params) {
    if (param.scope != "conv1" || param.role != DagnnRole::Filters) continue;
    const std::int64_t width = filter_shape(*param.value)[3];
    if (width >= 1 && width <= kWidest) return width;
    throw Error("{}: parameter '{}' has shape {}, expected (7,7,3,64)", file.file(), param.name,
                shape_text(param.value->shape));
  }
  std::vector<std::string> names = net.layer_names;
  const std::size_t more = names.size() > 4 ? names.size() - 4 : 0;
  names.resize(names.size() - more);
  throw Error("{}: is not ResNet-UpProj: no filters of a layer 'conv1'; its layers are {}{}; expected {}",
              file.file(), names.empty() ? "none" : listed(names),
              more > 0 ? fmt::format(" and {} more", more) : "", kUsualFiles);
}

class UpprojReader {
 public:
  UpprojReader(const MatFile& file, const Dagnn& net, std::int64_t width)
      : file_(file), net_(net), shapes_(expected_shapes(width)) {
    for (const DagnnParam& param : net.params) {
      check_shape(param);
      total_ += 4 * param.value->count();
    }
  }

  std::vector<NamedTensor> read(const MatConvNetProgress& progress) {
    std::int64_t done = 0;
    for (const DagnnParam& param : net_.params) {
      if (progress) progress(done, total_);
      read_param(param);
      done += 4 * param.value->count();
    }
    return std::move(tensors_);
  }

 private:
  // Null for what the network does not have.
  const std::vector<std::int64_t>* shape_of(const std::string& tensor) const {
    const auto it = shapes_.find(tensor);
    return it == shapes_.end() ? nullptr : &it->second;
  }

  static std::string tensor_of(const DagnnParam& param) {
    constexpr std::array<const char*, 5> kParts = {".weight", ".bias", ".scale", ".offset", ".mean"};
    return param.scope + kParts[static_cast<std::size_t>(param.role)];
  }

  void check_shape(const DagnnParam& param) const {
    const std::vector<std::int64_t>* tensor = shape_of(tensor_of(param));
    if (!tensor) return;
    bool good = false;
    std::vector<std::int64_t> expected = *tensor;
    if (param.role == DagnnRole::Filters) {
      expected = {expected[1], expected[2], expected[3], expected[0]};
      good = filter_shape(*param.value) == expected;
    } else if (param.role == DagnnRole::Moments) {
      expected = {expected[0], 2};
      good = param.value->shape == expected;
    } else {  // a row or a column
      good = param.value->count() == expected[0] &&
             *std::max_element(param.value->shape.begin(), param.value->shape.end()) == expected[0];
    }
    if (good) return;
    throw Error("{}: parameter '{}' of layer '{}' has shape {}, expected {}", file_.file(), param.name,
                param.scope, shape_text(param.value->shape), shape_text(expected));
  }

  void read_param(const DagnnParam& param) {
    const std::string name = tensor_of(param);
    const std::vector<std::int64_t>* shape = shape_of(name);
    std::vector<float> values =
        param.role == DagnnRole::Filters ? filters_krsc(file_, *param.value) : file_.floats(*param.value);
    check_finite(param.name, values, file_.file());
    if (param.role == DagnnRole::Moments) return add_moments(param, values);
    if (shape) {
      tensors_.push_back({name, *shape, std::move(values)});
    } else if (std::any_of(values.begin(), values.end(), [](float v) { return v != 0; })) {
      throw Error("{}: layer '{}' has a bias, '{}', which ResNet-UpProj has not", file_.file(), param.scope,
                  param.name);
    }
  }

  void add_moments(const DagnnParam& param, const std::vector<float>& moments) {
    const std::size_t channels = moments.size() / 2;
    std::vector<float> mean(channels), variance(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      const double deviation = moments[2 * c + 1];
      if (deviation <= 0) {
        throw Error("{}: parameter '{}' has the deviation {} in its second column, expected more than 0",
                    file_.file(), param.name, deviation);
      }
      mean[c] = moments[2 * c];
      variance[c] = static_cast<float>(deviation * deviation - kEpsilon);
    }
    const auto count = static_cast<std::int64_t>(channels);
    tensors_.push_back({param.scope + ".mean", {count}, std::move(mean)});
    tensors_.push_back({param.scope + ".variance", {count}, std::move(variance)});
  }

  const MatFile& file_;
  const Dagnn& net_;
  Shapes shapes_;
  std::int64_t total_ = 0;
  std::vector<NamedTensor> tensors_;
};

// [top bottom left right] of a layer, from the forms that dagnn.Conv takes; empty when it says nothing.
std::vector<float> pad_of(const MatFile& file, const DagnnLayer& layer) {
  const MatValue* pad = layer.block ? layer.block->field("pad") : nullptr;
  if (!pad || pad->kind != MatKind::Numbers || pad->count() > 4) return {};
  const std::vector<float> p = file.floats(*pad);
  if (p.size() == 1) return {p[0], p[0], p[0], p[0]};
  if (p.size() == 2) return {p[0], p[0], p[1], p[1]};
  return p;
}

// What the layers' own padding says: "nyu", "make3d", "" for nothing.
std::string padding_of_layers(const MatFile& file, const Dagnn& net) {
  struct Kernel {
    const char* ending;
    std::vector<float> nyu, make3d;
  };
  const Kernel kernels[] = {{"_ConvB", {1, 0, 1, 1}, {0, 1, 1, 1}},
                            {"_ConvC", {1, 1, 1, 0}, {1, 1, 0, 1}},
                            {"_ConvD", {1, 0, 1, 0}, {0, 1, 0, 1}}};
  std::string found;
  for (const auto& [scope, layer] : net.layers) {
    for (const Kernel& kernel : kernels) {
      if (!scope.ends_with(kernel.ending)) continue;
      const std::vector<float> pad = pad_of(file, layer);
      if (pad.empty()) continue;
      const std::string said = pad == kernel.nyu ? "nyu" : pad == kernel.make3d ? "make3d" : "";
      if (said.empty() || (!found.empty() && said != found)) {
        throw Error(
            "{}: layer '{}' pads {} (top, bottom, left, right), which {}: give --padding nyu or --padding "
            "make3d",
            file.file(), layer.name, fmt::format("({})", fmt::join(pad, ",")),
            said.empty() ? "is neither NYU's nor Make3D's way" : "contradicts the layers before it");
      }
      found = said;
    }
  }
  return found;
}

std::string padding_of_image_size(const MatFile& file, const MatValue& network) {
  const MatValue* size = mat_find(network, {"meta", "normalization", "imageSize"});
  if (!size || size->kind != MatKind::Numbers || size->count() < 2 || size->count() > 4) return "";
  const std::vector<float> extents = file.floats(*size);
  const auto is = [&](float rows, float columns) { return extents[0] == rows && extents[1] == columns; };
  if (is(228, 304)) return "nyu";
  if (is(230, 173) || is(460, 345) || is(173, 230) || is(345, 460)) return "make3d";
  return "";
}

std::string choose_padding(const MatFile& file, const MatValue& network, const Dagnn& net) {
  std::string padding = padding_of_layers(file, net);
  if (padding.empty()) padding = padding_of_image_size(file, network);
  if (!padding.empty()) return padding;
  throw Error(
      "{}: does not say how it pads the kernels of its up-projections: give --padding nyu for a network "
      "trained on NYU Depth v2, --padding make3d for one trained on Make3D",
      file.file());
}

// The epsilon that the file's batch norms were trained with, for people.
std::string epsilon_note(const MatFile& file, const Dagnn& net) {
  for (const auto& [scope, layer] : net.layers) {
    const MatValue* epsilon = layer.block ? layer.block->field("epsilon") : nullptr;
    if (!epsilon || epsilon->kind != MatKind::Numbers || epsilon->count() != 1) continue;
    return fmt::format("deviations of batch norms include their epsilon {}", file.floats(*epsilon)[0]);
  }
  return "deviations of batch norms include their epsilon";
}

}  // namespace

WeightsFile import_matconvnet_upproj(const MatFile& file, const std::optional<std::string>& padding,
                                     const MatConvNetProgress& progress) {
  if (padding && *padding != "nyu" && *padding != "make3d") {
    throw Error("padding \"{}\", expected \"nyu\" or \"make3d\"", *padding);
  }
  const MatValue& network = matconvnet_network(file, kUsualFiles);
  const Dagnn net = read_dagnn(file, network, kUsualFiles);
  const std::int64_t width = width_of(file, net);

  WeightsFile weights;
  weights.kind = "resnet_upproj";
  const std::string side = padding ? *padding : choose_padding(file, network, net);
  const ResnetUpproj described{
      .width = width, .padding = side == "nyu" ? ResnetUpproj::Side::Nyu : ResnetUpproj::Side::Make3d};
  weights.architecture = to_json(described);
  weights.preprocess = to_json(Preprocess{});
  weights.provenance =
      nlohmann::ordered_json{{"source", std::filesystem::path(file.file()).filename().string()},
                             {"format", file.format() + " (MatConvNet DagNN)"},
                             {"tool", "chiaro import_matconvnet_upproj"},
                             {"note", epsilon_note(file, net)}}
          .dump();
  weights.parameters = in_order(UpprojReader(file, net, width).read(progress), parameters(described),
                                "ResNet-UpProj", file.file());
  return weights;
}

}  // namespace chiaro
