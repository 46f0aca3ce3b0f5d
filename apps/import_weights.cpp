// import_weights SRC --as KIND -o DST.h5: downloaded weights into chiaro's own, self-describing file.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/common/program.hpp"
#include "engine/io/weights_file.hpp"
#include "kernels/common/build_config.hpp"
#include "weights_import/weights_import.hpp"

namespace {

// Notes where the file came from, next to what its reader or its maker already says.
std::string with_source(const std::string& provenance, const std::filesystem::path& source) {
  auto json = nlohmann::ordered_json::parse(provenance);
  json["source_file"] = source.filename().string();
  json["written_by"] = fmt::format("chiaro {} import_weights", chiaro::kVersion);
  return json.dump();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Converts the weights of a network to chiaro's own file, which says what it holds and how its input "
      "is\n"
      "prepared. The format of SRC is told from its contents.\n"
      "Examples:\n"
      "  import_weights vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5 --as vgg19 -o vgg19.h5\n"
      "  import_weights runs/starry_night/model.h5 --as transform_net -o starry_night.h5 --half",
      "import_weights"};
  std::string source, kind, destination;
  bool half = false;
  app.add_option("SRC", source, "weights as downloaded, or chiaro's own file")->required();
  app.add_option("--as", kind, "the network that it holds: vgg19, vgg16, resnet_upproj or transform_net")
      ->required()
      ->check(
          CLI::IsMember(std::vector<std::string>(chiaro::kNetworkKinds.begin(), chiaro::kNetworkKinds.end())))
      ->type_name("KIND");
  app.add_option("-o,--output", destination, "file to write")->required()->type_name("DST.h5");
  app.add_flag("--half", half, "store half-precision numbers: half the size");
  app.set_version_flag("--version", std::string("chiaro ") + chiaro::kVersion);

  return chiaro::run_program(app, argc, argv, [&] {
    chiaro::WeightsFile weights = chiaro::load_network(source, kind);
    weights.provenance = with_source(weights.provenance, source);
    chiaro::write_weights(destination, weights, half);
    std::size_t parameters = 0;
    for (const auto& tensor : weights.parameters) parameters += tensor.values.size();
    fmt::print("{}: {}, {} parameters in {} tensors, {}, {} bytes\n", destination, weights.kind, parameters,
               weights.parameters.size(), half ? "fp16" : "fp32", std::filesystem::file_size(destination));
    return 0;
  });
}
