#include "apps/training/depth_validation.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/io/h5_file.hpp"

namespace chiaro {

namespace {

DepthScores parse_scores(const nlohmann::json& json) {
  const auto number = [&](const char* key) {  // JSON has no NaN, but null
    const auto found = json.find(key);
    return found != json.end() && found->is_number() ? found->get<double>() : NAN;
  };
  return {.pixels = json.value("pixels", std::int64_t{0}),
          .rel = number("rel"),
          .rms = number("rms"),
          .log10 = number("log10"),
          .delta = {number("delta1"), number("delta2"), number("delta3")}};
}

// -1: there is no such model.
std::int64_t iteration_of_model(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return -1;
  try {
    const auto json = nlohmann::json::parse(H5Reader(file).string_attribute("/", "provenance"));
    return json.value("iterations", std::int64_t{-1});
  } catch (const std::exception&) {
    return -1;  // somebody else's file
  }
}

}  // namespace

nlohmann::ordered_json to_json(const DepthScores& scores) {
  return {{"pixels", scores.pixels},  {"rel", scores.rel},         {"rms", scores.rms},
          {"log10", scores.log10},    {"delta1", scores.delta[0]}, {"delta2", scores.delta[1]},
          {"delta3", scores.delta[2]}};
}

std::optional<Validation> best_validation(const RunFolder& folder) {
  std::optional<Validation> best;
  std::ifstream file(folder.metrics_file());
  for (std::string line; std::getline(file, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("validation")) continue;
    const Validation found{json.value("iteration", std::int64_t{0}), parse_scores(json["validation"])};
    if (found.better_than(best)) best = found;
  }
  if (best && iteration_of_model(folder.model_file()) != best->iteration) return {};
  return best;
}

}  // namespace chiaro
