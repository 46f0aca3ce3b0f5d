#include "layers/networks/transform_net/style_rows.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "kernels/norm/row_mix.hpp"

namespace chiaro {

namespace {

bool is_table(const NamedTensor& tensor) {
  return tensor.name.ends_with(".gamma") || tensor.name.ends_with(".beta");
}

// A table (rows, C) by shares of its rows (results, rows): a table (results, C).
NamedTensor mixed(const NamedTensor& table, std::int64_t rows, const std::vector<float>& shares,
                  const std::string& file) {
  const auto count = static_cast<std::int64_t>(table.values.size());
  if (count == 0 || count % rows != 0)
    throw Error("{}: tensor '{}' has {} values, which are not rows for {} styles", file, table.name, count,
                rows);
  const std::int64_t results = static_cast<std::int64_t>(shares.size()) / rows, length = count / rows;
  NamedTensor result{table.name, {length}, std::vector<float>(static_cast<std::size_t>(results * length))};
  if (results > 1) result.shape = {results, 1, 1, length};
  row_mix::cpu::forward({.pictures = results, .rows = rows, .length = length}, shares.data(),
                        table.values.data(), result.values.data());
  return result;
}

// out = factor * out + offset, of the last convolution.
void scale_output(std::vector<NamedTensor>& parameters, double factor, double offset) {
  for (auto& tensor : parameters) {
    const bool bias = tensor.name == "out.bias";
    if (!bias && tensor.name != "out.weight") continue;
    for (float& value : tensor.values)
      value = static_cast<float>(factor * static_cast<double>(value) + (bias ? offset : 0.0));
  }
}

constexpr double kAmplitude = 150, kCenter = 127.5;

}  // namespace

std::vector<StyleShare> parse_style_shares(const std::string& text) {
  std::vector<StyleShare> shares;
  std::set<std::string> seen;
  double sum = 0;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const std::size_t sign = part.find('=');
    StyleShare share{.name = part.substr(0, sign)};
    if (sign != std::string::npos) {
      const char *first = part.data() + sign + 1, *last = part.data() + part.size();
      const auto [stop, error] = std::from_chars(first, last, share.share);
      if (error != std::errc{} || stop != last || !(share.share > 0) || !std::isfinite(share.share))
        throw Error("style {}: expected NAME=SHARE with a number above 0, such as wave=0.6", part);
    }
    if (share.name.empty()) throw Error("style '{}': expected NAME or NAME=SHARE,NAME=SHARE", text);
    if (!seen.insert(share.name).second) throw Error("style '{}': names {} twice", text, share.name);
    sum += share.share;
    shares.push_back(share);
    begin = end + 1;
  }
  for (auto& share : shares) share.share /= sum;
  return shares;
}

std::string to_text(const std::vector<StyleShare>& shares) {
  if (shares.size() == 1) return shares[0].name;
  std::vector<std::string> parts;
  for (const auto& share : shares) parts.push_back(fmt::format("{}={:.3g}", share.name, share.share));
  return listed(parts, ",");
}

std::vector<float> row_shares(const TransformNet& config, const std::vector<StyleShare>& shares,
                              const std::string& file) {
  if (shares.empty()) {
    if (config.rows() > 1)
      throw Error("{}: has the styles {}; say which, or how much of each: wave=0.6,the_scream=0.4", file,
                  listed(config.styles));
    return {1};
  }
  std::vector<float> rows(static_cast<std::size_t>(config.rows()));
  for (const auto& share : shares) {
    const auto found = std::find(config.styles.begin(), config.styles.end(), share.name);
    if (found == config.styles.end())
      throw Error(
          "{}: has no style '{}'; {}{}", file, share.name,
          config.styles.empty() ? "its only style has no name" : "there are: " + listed(config.styles),
          did_you_mean(share.name, config.styles));
    rows[static_cast<std::size_t>(found - config.styles.begin())] = static_cast<float>(share.share);
  }
  return rows;
}

TransformNet plain_config(TransformNet config) {
  if (config.output == OutputRange::Scaled150) config.output = OutputRange::Linear;
  config.styles.clear();
  return config;
}

std::vector<NamedTensor> plain_parameters(std::vector<NamedTensor> parameters, const TransformNet& config,
                                          const std::vector<float>& row_shares) {
  if (config.rows() > 1)
    for (auto& tensor : parameters)
      if (is_table(tensor)) tensor = mixed(tensor, config.rows(), row_shares, "the network");
  if (config.output == OutputRange::Scaled150) scale_output(parameters, kAmplitude, kCenter);
  return parameters;
}

WeightsFile choose_style(WeightsFile network, const std::vector<StyleShare>& shares,
                         const std::string& file) {
  const TransformNet config = transform_net_from_json(network.architecture, file);
  const std::vector<float> rows = row_shares(config, shares, file);
  network.parameters = plain_parameters(std::move(network.parameters), config, rows);
  network.architecture = to_json(plain_config(config));
  if (!shares.empty()) {
    auto provenance = nlohmann::ordered_json::parse(network.provenance);
    provenance["style"] = to_text(shares);
    network.provenance = provenance.dump();
  }
  return network;
}

std::vector<NamedTensor> start_parameters(const WeightsFile& from, const TransformNet& config,
                                          const std::string& file) {
  const TransformNet found = transform_net_from_json(from.architecture, file);
  TransformNet comparable = plain_config(found), wanted = plain_config(config);
  if (comparable != wanted)
    throw Error("{}: holds a transform network {}, but the configuration's [model] is {}", file,
                to_json(comparable), to_json(wanted));
  // Shares of the rows that there are, for each row that is wanted.
  const std::int64_t old_rows = found.rows(), rows = config.rows();
  std::vector<float> shares(static_cast<std::size_t>(rows * old_rows), 1.f / static_cast<float>(old_rows));
  for (std::int64_t row = 0; row < rows && !config.styles.empty(); ++row) {
    const auto same =
        std::find(found.styles.begin(), found.styles.end(), config.styles[static_cast<std::size_t>(row)]);
    if (same == found.styles.end()) continue;
    float* own = shares.data() + row * old_rows;
    std::fill_n(own, old_rows, 0.f);
    own[same - found.styles.begin()] = 1;
  }
  std::vector<NamedTensor> parameters = from.parameters;
  for (auto& tensor : parameters)
    if (is_table(tensor)) tensor = mixed(tensor, old_rows, shares, file);
  if (found.output == config.output) return parameters;
  if (found.output == OutputRange::Scaled150) scale_output(parameters, kAmplitude, kCenter);
  if (config.output == OutputRange::Scaled150)
    scale_output(parameters, 1 / kAmplitude, -kCenter / kAmplitude);
  return parameters;
}

}  // namespace chiaro
