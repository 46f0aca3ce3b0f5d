#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/common/model_path.hpp"
#include "apps/common/program.hpp"
#include "apps/inspect/commands.hpp"
#include "apps/stylize/memory_budget.hpp"
#include "engine/io/h5_file.hpp"
#include "engine/io/weights_file.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/say.hpp"
#include "layers/networks/networks.hpp"
#include "weights_import/files/hdf5_file.hpp"
#include "weights_import/known_files.hpp"
#include "weights_import/network_imports.hpp"
#include "weights_import/tensor_table.hpp"

namespace chiaro {

namespace {

using Json = nlohmann::ordered_json;

struct ModelOptions {
  std::string file, kind;
  bool json = false, tensors = false;
};

std::int64_t element_count(const NamedTensor& tensor) {
  return static_cast<std::int64_t>(tensor.values.size());
}

// The checksum, and what is known under it.
void add_identity(const std::string& path, Json& json) {
  const std::string sha256 = sha256_of(path);
  json["sha256"] = sha256;
  if (const KnownFile* known = known_file(sha256)) json["known_as"] = known->description;
}

void print_identity(const Json& json) {
  say(stdout, "{:<14}{}\n", "sha256", json["sha256"].get<std::string>());
  if (json.contains("known_as")) say(stdout, "{:<14}{}\n", "known as", json["known_as"].get<std::string>());
}

// A file of tensors in a foreign format, nothing converted: what a user needs to see to know what it is.
int run_foreign(const ModelOptions& options, const TensorFile& file) {
  Json json{{"file", options.file}, {"format", file.format()}, {"looks_like", guess_network(file)}};
  json["file_bytes"] = file.bytes();
  add_identity(options.file, json);
  json["tensors"] = Json::array();
  for (const TensorInfo& tensor : file.tensors())
    json["tensors"].push_back(
        {{"name", escaped(tensor.name)}, {"shape", tensor.shape}, {"type", element_name(tensor.type)}});
  if (options.json) {
    say_text(stdout, json.dump(2) + "\n");
    return 0;
  }
  say(stdout, "{:<14}{}\n{:<14}{}\n", "format", file.format(), "looks like", guess_network(file));
  say(stdout, "{:<14}{} bytes ({})\n", "file", file.bytes(), format_bytes(file.bytes()));
  print_identity(json);
  say(stdout, "\n{:<40} {:<20} {}\n", "tensor", "shape", "type");
  for (const TensorInfo& tensor : file.tensors())
    say(stdout, "{:<40} {:<20} {}\n", tensor.name, shape_text(tensor.shape), element_name(tensor.type));
  say(stdout, "\nto read it as a network, add --as {}\n", listed(network_names(), "|"));
  return 0;
}

bool is_own(const TensorFile& file) {
  const auto* hdf5 = dynamic_cast<const Hdf5File*>(&file);
  return hdf5 && hdf5->holds() == Hdf5File::Holds::Weights;
}

Json summary(const ModelOptions& options, const TensorFile& file, const WeightsFile& model) {
  std::int64_t parameters = 0;
  for (const auto& tensor : model.parameters) parameters += element_count(tensor);
  Json json{{"file", options.file},
            {"kind", model.kind},
            {"parameters", parameters},
            {"tensors", Json::array()},
            {"file_bytes", file.bytes()}};
  add_identity(options.file, json);
  // Of a file in another format tensors may have been converted.
  if (is_own(file) && !file.tensors().empty())
    json["precision"] = fmt::format("fp{}", 8 * element_bytes(file.tensors()[0].type));
  json["architecture"] = Json::parse(model.architecture);
  json["preprocess"] = Json::parse(model.preprocess);
  json["provenance"] = Json::parse(model.provenance);
  for (const auto& tensor : model.parameters)
    json["tensors"].push_back({{"name", escaped(tensor.name)}, {"shape", tensor.shape}});
  return json;
}

// One line per entry; the first stands beside the heading.
void print_object(const char* heading, const Json& object) {
  for (const auto& [key, value] : object.items()) {
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (const auto lines = std::count(text.begin(), text.end(), '\n'); lines > 0)
      text = fmt::format("({} lines, shown by --json)", lines);
    say(stdout, "{:<14}{:<16} {}\n", heading, key, text);
    heading = "";
  }
}

void print_summary(const Json& json, const WeightsFile& model) {
  say(stdout, "{:<14}{}\n", "kind", model.kind);
  say(stdout, "{:<14}{} in {} tensors\n", "parameters", json["parameters"].get<std::int64_t>(),
      model.parameters.size());
  const auto bytes = json["file_bytes"].get<std::int64_t>();
  say(stdout, "{:<14}{} bytes ({}){}\n", "file", bytes, format_bytes(bytes),
      json.contains("precision") ? ", stored in " + json["precision"].get<std::string>() : "");
  print_identity(json);
  print_object("architecture", json["architecture"]);
  print_object("input", json["preprocess"]);
  print_object("provenance", json["provenance"]);
}

void print_tensors(const WeightsFile& model) {
  say(stdout, "\n{:<28} {:<20} {:>10} {:>12} {:>12} {:>12}\n", "tensor", "shape", "elements", "mean", "min",
      "max");
  for (const auto& tensor : model.parameters) {
    if (tensor.values.empty()) continue;
    const auto [least, greatest] = std::minmax_element(tensor.values.begin(), tensor.values.end());
    const double sum = std::accumulate(tensor.values.begin(), tensor.values.end(), 0.0);
    say(stdout, "{:<28} {:<20} {:>10} {:>12.4g} {:>12.4g} {:>12.4g}\n", tensor.name, shape_text(tensor.shape),
        element_count(tensor), sum / static_cast<double>(tensor.values.size()), *least, *greatest);
  }
}

int run_model(const ModelOptions& options) {
  const auto read = [&](const TensorFile& file) {
    return options.kind.empty() ? read_weights(dynamic_cast<const Hdf5File&>(file).reader())
                                : import_network(file, options.kind, {});
  };
  const auto is_foreign = [&](const TensorFile& file) { return options.kind.empty() && !is_own(file); };
  const auto file = open_tensor_file(options.file, [&](const TensorFile& tried) {
    if (!is_foreign(tried)) read(tried);
  });
  if (is_foreign(*file)) return run_foreign(options, *file);
  const WeightsFile model = read(*file);
  const Json json = summary(options, *file, model);
  if (options.json) {
    say_text(stdout, json.dump(2) + "\n");
    return 0;
  }
  print_summary(json, model);
  if (options.tensors) print_tensors(model);
  return 0;
}

}  // namespace

void add_model_command(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<ModelOptions>();
  CLI::App* command = app.add_subcommand("model", "show what a weights file holds");
  command->footer(
      "Examples:\n"
      "  inspect_engine model runs/starry_night/model.h5 --tensors\n"
      "  inspect_engine model vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5 --as vgg19\n"
      "  inspect_engine model candy.pth");
  command
      ->add_option("FILE", options->file,
                   "weights file of any network, or the name of a model that comes with chiaro")
      ->required();
  command->add_option("--as", options->kind, "for a file in another format: the network to read it as")
      ->check(CLI::IsMember(network_names()))
      ->type_name("KIND");
  auto* json = command->add_flag("--json", options->json, "everything but the values, for programs");
  command->add_flag("--tensors", options->tensors, "name, shape and range of every tensor")->excludes(json);
  command->callback([options, &chosen] {
    chosen = [options] {
      options->file = find_model(options->file, shipped_models()).string();
      return run_model(*options);
    };
  });
}

}  // namespace chiaro
