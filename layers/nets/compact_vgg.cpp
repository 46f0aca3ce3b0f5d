#include "layers/nets/compact_vgg.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/param_io.hpp"

namespace chiaro {

namespace {

Matrix adapter_matrix(const NamedTensor& adapter) {
  Matrix a(adapter.shape.at(0), adapter.shape.at(3));
  a.values.assign(adapter.values.begin(), adapter.values.end());
  return a;
}

NamedTensor head_tensor(const std::string& feature, const Matrix& head) {
  return {"head_" + feature + ".weight",
          {head.rows, 1, 1, head.columns},
          {head.values.begin(), head.values.end()}};
}

}  // namespace

double compact_gram_loss_scale(std::int64_t width, std::int64_t imitated_width) {
  const double ratio = static_cast<double>(width) / static_cast<double>(imitated_width);
  return ratio * ratio;
}

std::string adapter_name(const std::string& feature) {
  return "adapter_" + feature + ".weight";
}

Matrix compact_head(const Matrix& adapter) {
  Matrix head = triangular_factor(adapter);
  const double r = std::sqrt(static_cast<double>(adapter.columns) / static_cast<double>(adapter.rows));
  for (double& value : head.values) value *= r;
  return head;
}

WeightsFile compact_vgg_file(const ParamStore& trained, const VggConfig& network, std::int64_t imitated_width,
                             const std::string& provenance) {
  WeightsFile file{.kind = fmt::format("vgg{}", network.depth),
                   .architecture = nlohmann::ordered_json{{"depth", network.depth},
                                                          {"width", network.width},
                                                          {"imitates_width", imitated_width},
                                                          {"heads", network.heads}}
                                       .dump(),
                   .preprocess = to_json(network.preprocess),
                   .provenance = provenance};
  std::vector<NamedTensor> adapters;
  for (NamedTensor& tensor : save_parameters(trained))
    (tensor.name.starts_with("adapter_") ? adapters : file.parameters).push_back(std::move(tensor));
  for (const std::string& feature : network.heads) {
    const auto adapter = std::find_if(adapters.begin(), adapters.end(),
                                      [&](const auto& a) { return a.name == adapter_name(feature); });
    require(adapter != adapters.end(), "no adapter for the feature '{}'", feature);
    file.parameters.push_back(head_tensor(feature, compact_head(adapter_matrix(*adapter))));
  }
  return file;
}

}  // namespace chiaro
