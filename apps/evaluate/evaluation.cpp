#include "apps/evaluate/evaluation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "kernels/base/build_config.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

namespace {

using Json = nlohmann::ordered_json;

struct Column {
  std::string title, value;  // value: a name of values_of()
  int decimals = 3;
};

constexpr int kColumnWidth = 9;

std::vector<Column> main_columns(const std::vector<NamedValue>& values) {
  const std::vector<Column> all = {
      {"AbsRel", "depth_abs_rel", 3},  {"RMSE m", "depth_rmse", 3},       {"log10", "depth_log10", 3},
      {"d<1.25", "depth_delta1", 3},   {"d<1.25^2", "depth_delta2", 3},   {"d<1.25^3", "depth_delta3", 3},
      {"SSIM", "depth_ssim", 3},       {"Spearman", "depth_spearman", 3}, {"valid", "depth_valid_share", 3},
      {"style", "style", 3},           {"content", "content", 3},         {"gray SSIM", "gray_ssim", 3},
      {"white %", "white_percent", 2}, {"black %", "black_percent", 2}};
  std::vector<Column> columns;
  for (const auto& column : all)
    if (std::any_of(values.begin(), values.end(), [&](const auto& v) { return v.name == column.value; }))
      columns.push_back(column);
  return columns;
}

std::string rows_of(const Evaluation& evaluation, const std::vector<Column>& columns) {
  std::size_t name_width = 8;
  for (const auto& candidate : evaluation.candidates)
    name_width = std::max(name_width, candidate.name.size());
  std::string text(name_width, ' ');
  for (const auto& column : columns) text += fmt::format(" {:>{}}", column.title, kColumnWidth);
  for (std::size_t i = 0; i < evaluation.candidates.size(); ++i) {
    text += fmt::format("\n{:<{}}", evaluation.candidates[i].name, name_width);
    const auto means = mean_values(evaluation, i);
    for (const auto& column : columns) {
      const auto found =
          std::find_if(means.begin(), means.end(), [&](const auto& v) { return v.name == column.value; });
      text += std::isnan(found->value)
                  ? fmt::format(" {:>{}}", "-", kColumnWidth)
                  : fmt::format(" {:>{}.{}f}", found->value, kColumnWidth, column.decimals);
    }
  }
  return text + "\n";
}

Json object_of(const std::vector<NamedValue>& values) {
  Json object = Json::object();
  for (const auto& [name, value] : values) object[name] = value;  // NaN becomes null
  return object;
}

}  // namespace

LostPixels lost_pixels(const Image& picture) {
  constexpr int kWhite = 250, kBlack = 5;  // what JPEG leaves of 255 and 0
  std::int64_t white = 0, black = 0;
  const std::size_t pixels = picture.pixels.size() / 3;
  for (std::size_t i = 0; i < pixels; ++i) {
    const auto [least, most] =
        std::minmax({picture.pixels[3 * i], picture.pixels[3 * i + 1], picture.pixels[3 * i + 2]});
    white += least >= kWhite;
    black += most <= kBlack;
  }
  return {static_cast<double>(white) / static_cast<double>(pixels),
          static_cast<double>(black) / static_cast<double>(pixels)};
}

std::vector<NamedValue> values_of(const Measurement& measurement,
                                  const std::vector<std::string>& style_layers) {
  std::vector<NamedValue> values;
  if (measurement.depth) {
    const DepthMetrics& depth = *measurement.depth;
    const double share = depth.pixels > 0
                             ? static_cast<double>(depth.valid_pixels) / static_cast<double>(depth.pixels)
                             : std::numeric_limits<double>::quiet_NaN();
    values = {{"depth_abs_rel", depth.abs_rel},
              {"depth_rmse", depth.rmse},
              {"depth_log10", depth.log10},
              {"depth_delta1", depth.delta[0]},
              {"depth_delta2", depth.delta[1]},
              {"depth_delta3", depth.delta[2]},
              {"depth_ssim", depth.ssim},
              {"depth_spearman", depth.spearman},
              {"depth_scale", depth.scale},
              {"depth_pixels", static_cast<double>(depth.pixels)},
              {"depth_valid_pixels", static_cast<double>(depth.valid_pixels)},
              {"depth_valid_share", share}};
  }
  if (measurement.perceptual) {
    const PerceptualDistance& distance = *measurement.perceptual;
    values.push_back({"style", distance.style});
    values.push_back({"style_raw", distance.style_raw});
    for (std::size_t i = 0; i < style_layers.size(); ++i) {
      values.push_back({"style_" + style_layers[i], distance.layers[i]});
      values.push_back({"style_" + style_layers[i] + "_raw", distance.layers_raw[i]});
    }
    values.push_back({"content", distance.content});
    values.push_back({"content_raw", distance.content_raw});
  }
  values.push_back({"gray_ssim", measurement.gray_ssim});
  values.push_back({"white_percent", 100 * measurement.white});
  values.push_back({"black_percent", 100 * measurement.black});
  return values;
}

std::vector<NamedValue> mean_values(const Evaluation& evaluation, std::size_t candidate) {
  std::vector<NamedValue> means;
  std::vector<std::int64_t> defined;
  for (const auto& picture : evaluation.pictures) {
    const auto values = values_of(picture.measurements[candidate], evaluation.style_layers);
    if (means.empty()) {
      for (const auto& value : values) means.push_back({value.name, 0});
      defined.resize(values.size());
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i].value)) continue;
      means[i].value += values[i].value;
      ++defined[i];
    }
  }
  for (std::size_t i = 0; i < means.size(); ++i)
    means[i].value = defined[i] > 0 ? means[i].value / static_cast<double>(defined[i])
                                    : std::numeric_limits<double>::quiet_NaN();
  return means;
}

std::string table_of(const Evaluation& evaluation) {
  if (evaluation.pictures.empty()) return "";
  const auto& first = evaluation.pictures[0].measurements[0];
  std::string text = rows_of(evaluation, main_columns(values_of(first, evaluation.style_layers)));
  if (!evaluation.style_layers.empty()) {
    std::vector<Column> layers;
    for (const auto& layer : evaluation.style_layers) layers.push_back({layer, "style_" + layer});
    text +=
        "\nstyle distance per layer (1 = the photo, 0 = the style picture)\n" + rows_of(evaluation, layers);
  }
  return text;
}

std::string json_of(const Evaluation& evaluation) {
  Json json;
  json["chiaro"] = kVersion;
  for (const auto& [key, value] : evaluation.settings) json["settings"][key] = escaped(value);
  json["means"] = Json::array();
  for (std::size_t i = 0; i < evaluation.candidates.size(); ++i) {
    const CandidateSpec& spec = evaluation.candidates[i];
    const char* kind = spec.kind == CandidateSpec::Kind::Model ? "model" : "folder";
    Json mean{
        {"name", escaped(spec.name)}, {kind, escaped(spec.path)}, {"pictures", evaluation.pictures.size()}};
    mean.update(object_of(mean_values(evaluation, i)));
    json["means"].push_back(mean);
  }
  json["pictures"] = Json::array();
  for (const auto& picture : evaluation.pictures) {
    Json entry{{"photo", escaped(picture.photo)}, {"height", picture.height}, {"width", picture.width}};
    for (std::size_t i = 0; i < picture.measurements.size(); ++i)
      entry["results"][escaped(evaluation.candidates[i].name)] =
          object_of(values_of(picture.measurements[i], evaluation.style_layers));
    json["pictures"].push_back(entry);
  }
  json["skipped"] = Json::array();
  for (const auto& skipped : evaluation.skipped)
    json["skipped"].push_back({{"photo", escaped(skipped.photo)}, {"reason", escaped(skipped.reason)}});
  return json.dump(1) + "\n";
}

}  // namespace chiaro
