// import_weights SRC --as KIND -o DST: downloaded weights into chiaro's own, self-describing file, or a
// network into the files that other programs read.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/common/model_path.hpp"
#include "apps/common/program.hpp"
#include "engine/io/weights_file.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/base/say.hpp"
#include "layers/networks/networks.hpp"
#include "layers/networks/transform_net/style_rows.hpp"
#include "weights_import/files/safetensors_network.hpp"
#include "weights_import/onnx_export.hpp"
#include "weights_import/weights_import.hpp"

namespace {

using namespace chiaro;

struct Options {
  std::string source, kind, destination, style;
  bool half = false;
  ImportOptions import;
};

// Notes where the file came from, next to what its reader or its maker already says.
std::string with_source(const std::string& provenance, const std::filesystem::path& source) {
  auto json = nlohmann::ordered_json::parse(provenance);
  json["source_file"] = escaped(source.filename().string());
  json["written_by"] = fmt::format("chiaro {} import_weights", kVersion);
  return json.dump();
}

// A line that is written over on a terminal; elsewhere a line at every tenth of a large file.
std::function<void(std::int64_t, std::int64_t)> progress_line() {
  return [terminal = isatty(STDERR_FILENO) == 1, shown = std::int64_t{-1}](std::int64_t done,
                                                                           std::int64_t total) mutable {
    constexpr std::int64_t kLarge = 64 << 20;
    if (total < kLarge) return;
    const std::int64_t tenths = 10 * done / total;
    if (tenths == shown) return;
    shown = tenths;
    say(stderr, "{}reading: {} of {} MB{}", terminal ? "\r" : "", done / 1'000'000, total / 1'000'000,
        terminal && done < total ? "" : "\n");
  };
}

void write(const Options& options, const WeightsFile& weights) {
  const std::string extension = std::filesystem::path(options.destination).extension().string();
  if (extension == ".h5" || extension == ".hdf5")
    return write_weights(options.destination, weights, options.half);
  if (extension == ".safetensors") return export_safetensors(options.destination, weights, options.half);
  if (extension == ".onnx") {
    if (options.half)
      throw Error("--half: ONNX files are written in fp32; half precision exists for .h5 and .safetensors");
    return export_onnx(options.destination, weights);
  }
  throw Error(
      "{}: cannot tell the format to write from '{}'; expected a name that ends in .h5, .safetensors or "
      ".onnx",
      options.destination, extension);
}

int run(Options& options) {
  options.import.progress = progress_line();
  options.source = find_model(options.source, shipped_models()).string();
  WeightsFile weights = load_network(options.source, options.kind, options.import);
  weights.provenance = with_source(weights.provenance, options.source);
  const bool keeps_styles = options.style.empty() &&
                            std::filesystem::path(options.destination).extension() != ".onnx" &&
                            std::filesystem::path(options.destination).extension() != ".safetensors";
  if (weights.kind == "transform_net" && !keeps_styles)
    weights =
        choose_style(std::move(weights),
                     options.style.empty() ? std::vector<StyleShare>{} : parse_style_shares(options.style),
                     options.source);
  else if (!options.style.empty())
    throw Error("--style: only transform networks have styles");
  write(options, weights);
  std::size_t parameters = 0;
  for (const auto& tensor : weights.parameters) parameters += tensor.values.size();
  say(stdout, "{}: {}, {} parameters in {} tensors, {}, {} bytes\n", options.destination, weights.kind,
      parameters, weights.parameters.size(), options.half ? "fp16" : "fp32",
      std::filesystem::file_size(options.destination));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Converts the weights of a network to chiaro's own file, which says what it holds and how its input "
      "is\n"
      "prepared, or exports it for other programs. The format of SRC is told from its contents, that of DST "
      "from\n"
      "its name: .h5 (chiaro), .safetensors (PyTorch's names and layout) or .onnx (transform networks).\n"
      "Examples:\n"
      "  import_weights vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5 --as vgg19 -o vgg19.h5\n"
      "  import_weights vgg19-dcbb9e9d.pth --as vgg19 -o vgg19.h5\n"
      "  import_weights candy.pth --as transform_net -o candy.h5 --half\n"
      "  import_weights NYU_ResNet-UpProj.npy --as resnet_upproj -o depth.h5\n"
      "  import_weights runs/starry_night/model.h5 --as transform_net -o starry_night.onnx\n"
      "  import_weights base.h5 --as transform_net --style wave=0.6,the_scream=0.4 -o mixed.onnx",
      "import_weights"};
  Options options;
  app.add_option("SRC", options.source,
                 "weights as downloaded, chiaro's own file, or the name of a model that comes with chiaro")
      ->required();
  app.add_option("--as", options.kind,
                 "the network that it holds: vgg19, vgg16, resnet_upproj or transform_net")
      ->required()
      ->check(CLI::IsMember(network_names()))
      ->type_name("KIND");
  app.add_option("-o,--output", options.destination, "file to write")->required()->type_name("DST");
  app.add_option(
         "--style", options.style,
         "of a network with several: the one to write, or a mixture; needed for .onnx and .safetensors")
      ->type_name("NAME|NAME=SHARE,...");
  app.add_flag("--half", options.half, "store half-precision numbers: half the size");
  app.add_option(
         "--preprocess", options.import.preprocess,
         "what a VGG's input must look like, for files that do not say it: torch, caffe (BGR) or caffe-rgb")
      ->check(CLI::IsMember({"auto", "torch", "caffe", "caffe-rgb"}))
      ->capture_default_str();
  app.add_option("--padding", options.import.padding,
                 "which side a ResNet-UpProj pads, for files that do not say it")
      ->check(CLI::IsMember({"auto", "nyu", "make3d"}))
      ->capture_default_str();
  app.set_version_flag("--version", std::string("chiaro ") + kVersion);
  return run_program(app, argc, argv, [&] { return run(options); });
}
