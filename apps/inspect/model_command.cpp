#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/common/program.hpp"
#include "apps/inspect/commands.hpp"
#include "apps/stylize/memory_budget.hpp"
#include "engine/io/file_kind.hpp"
#include "engine/io/h5_file.hpp"
#include "engine/io/weights_file.hpp"
#include "engine/suggest.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string file, kind;
  bool json = false, tensors = false;
};

std::int64_t element_count(const NamedTensor& tensor) {
  return static_cast<std::int64_t>(tensor.values.size());
}

WeightsFile read_model(const Options& options) {
  if (!options.kind.empty()) return load_network(options.file, options.kind);
  if (is_native(options.file)) return read_weights(options.file);
  throw Error(
      "{}: is not chiaro's own weights file but {}; if it is a network in another format, add --as {}",
      options.file, describe(file_kind(options.file)), listed(kNetworkKinds, "|"));
}

// "fp32", "fp16"; "" for a file in another format, whose tensors may have been converted.
std::string stored_precision(const std::string& path, const WeightsFile& model) {
  if (!is_native(path) || model.parameters.empty()) return "";
  const H5Reader file(path);
  return fmt::format("fp{}", 8 * file.element_bytes("parameters/" + model.parameters[0].name));
}

Json summary(const Options& options, const WeightsFile& model) {
  std::int64_t parameters = 0;
  for (const auto& tensor : model.parameters) parameters += element_count(tensor);
  Json json{{"file", options.file},
            {"kind", model.kind},
            {"parameters", parameters},
            {"tensors", Json::array()},
            {"file_bytes", std::filesystem::file_size(options.file)}};
  if (const auto precision = stored_precision(options.file, model); !precision.empty())
    json["precision"] = precision;
  json["architecture"] = Json::parse(model.architecture);
  json["preprocess"] = Json::parse(model.preprocess);
  json["provenance"] = Json::parse(model.provenance);
  for (const auto& tensor : model.parameters)
    json["tensors"].push_back({{"name", tensor.name}, {"shape", tensor.shape}});
  return json;
}

// One line per entry; the first stands beside the heading.
void print_object(const char* heading, const Json& object) {
  for (const auto& [key, value] : object.items()) {
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (const auto lines = std::count(text.begin(), text.end(), '\n'); lines > 0)
      text = fmt::format("({} lines, shown by --json)", lines);
    fmt::print("{:<14}{:<16} {}\n", heading, key, text);
    heading = "";
  }
}

void print_summary(const Json& json, const WeightsFile& model) {
  fmt::print("{:<14}{}\n", "kind", model.kind);
  fmt::print("{:<14}{} in {} tensors\n", "parameters", json["parameters"].get<std::int64_t>(),
             model.parameters.size());
  const auto bytes = json["file_bytes"].get<std::int64_t>();
  fmt::print("{:<14}{} bytes ({}){}\n", "file", bytes, format_bytes(bytes),
             json.contains("precision") ? ", stored in " + json["precision"].get<std::string>() : "");
  print_object("architecture", json["architecture"]);
  print_object("input", json["preprocess"]);
  print_object("provenance", json["provenance"]);
}

void print_tensors(const WeightsFile& model) {
  fmt::print("\n{:<28} {:<20} {:>10} {:>12} {:>12} {:>12}\n", "tensor", "shape", "elements", "mean", "min",
             "max");
  for (const auto& tensor : model.parameters) {
    if (tensor.values.empty()) continue;
    const auto [least, greatest] = std::minmax_element(tensor.values.begin(), tensor.values.end());
    const double sum = std::accumulate(tensor.values.begin(), tensor.values.end(), 0.0);
    fmt::print("{:<28} {:<20} {:>10} {:>12.4g} {:>12.4g} {:>12.4g}\n", tensor.name, shape_text(tensor.shape),
               element_count(tensor), sum / static_cast<double>(tensor.values.size()), *least, *greatest);
  }
}

int run(const Options& options) {
  const WeightsFile model = read_model(options);
  const Json json = summary(options, model);
  if (options.json) {
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  print_summary(json, model);
  if (options.tensors) print_tensors(model);
  return 0;
}

}  // namespace

void add_model_command(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("model", "show what a weights file holds");
  command->footer(
      "Examples:\n"
      "  inspect_engine model runs/starry_night/model.h5 --tensors\n"
      "  inspect_engine model vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5 --as vgg19");
  command->add_option("FILE", options->file, "weights file of any network")->required();
  command->add_option("--as", options->kind, "for a file in another format: the network to read it as")
      ->check(CLI::IsMember(std::vector<std::string>(kNetworkKinds.begin(), kNetworkKinds.end())))
      ->type_name("KIND");
  auto* json = command->add_flag("--json", options->json, "everything but the values, for programs");
  command->add_flag("--tensors", options->tensors, "name, shape and range of every tensor")->excludes(json);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace chiaro
