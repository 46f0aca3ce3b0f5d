#include <CLI/CLI.hpp>

#include "apps/common/program.hpp"
#include "apps/inspect/commands.hpp"
#include "apps/inspect/network_features.hpp"
#include "engine/io/h5_file.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

namespace {

struct ActivationsOptions {
  FeatureRequest request;
  std::string output;
  CommonOptions common{.precision = "fp32"};
};

int run_activations(const ActivationsOptions& options) {
  Context context = make_context(options.common);
  const DType dtype = choose_precision(context, options.common.precision);
  const Image picture = read_feature_picture(options.request);
  H5Writer file(options.output);
  const auto features = compute_features(context, options.request, picture, dtype);
  file.attribute("/", "net", options.request.net);
  file.attribute("/", "weights", options.request.weights);
  file.attribute("/", "image", options.request.image);
  file.attribute("/", "precision", precision_name(context, dtype));
  for (const auto& feature : features) {
    const Shape& s = feature.shape;
    const std::array<std::int64_t, 4> shape{s.n, s.h, s.w, s.c};
    file.floats(feature.layer, shape, feature.values);
    say(stdout, "{:<12} {}\n", feature.layer, shape_text(shape));
  }
  file.close();
  say(stdout, "written to {}\n", options.output);
  return 0;
}

}  // namespace

void add_activations_command(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<ActivationsOptions>();
  CLI::App* command = app.add_subcommand("activations", "write what a network makes of a picture, as HDF5");
  command->footer(
      "OUT.h5 holds one float32 dataset (1, height, width, channels) per layer, and the attributes net,\n"
      "weights, image and precision.\n"
      "Example:\n"
      "  inspect_engine activations --net vgg19 --weights vgg19.h5 --image photo.jpg \\\n"
      "      --layers relu1_1,relu4_2 -o activations.h5");
  add_feature_options(*command, options->request);
  command->add_option("-o,--output", options->output, "HDF5 file to write")->required()->type_name("FILE");
  add_common_options(*command, options->common);
  command->callback([options, &chosen] { chosen = [options] { return run_activations(*options); }; });
}

}  // namespace chiaro
