#include <CLI/CLI.hpp>

#include "apps/common/program.hpp"
#include "apps/inspect/commands.hpp"
#include "apps/inspect/feature_picture.hpp"
#include "engine/file_util.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

namespace {

struct FeaturesOptions {
  FeatureRequest request;
  FeaturePictureOptions drawing;
  std::string output, colors = "magma";
  CommonOptions common{.precision = "fp32"};
};

int run_features(FeaturesOptions options) {
  Context context = make_context(options.common);
  const DType dtype = choose_precision(context, options.common.precision);
  options.drawing.colors = options.colors == "gray" ? MapColors::Gray : MapColors::Magma;
  const Image picture = read_feature_picture(options.request);
  require_place(options.output);  // before the work: may a file be made there?
  const auto features = compute_features(context, options.request, picture, dtype);
  const Image sheet = draw_features(picture, features, options.drawing);
  encode_image(options.output, sheet);
  say(stdout, "{}: {} x {} pixels\n", options.output, sheet.width, sheet.height);
  return 0;
}

}  // namespace

void add_features_command(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<FeaturesOptions>();
  CLI::App* command = app.add_subcommand("features", "draw what the layers of a network see in a picture");
  command->footer(
      "One row per layer: the picture, then the channels that vary most over it, strongest first, each\n"
      "from its darkest to its brightest value.\n"
      "Example:\n"
      "  inspect_engine features --net vgg16 --weights vgg16.h5 --image photo.jpg \\\n"
      "      --layers relu1_2,relu2_2,relu3_3,relu4_3 -o features.png");
  add_feature_options(*command, options->request);
  command->add_option("-o,--output", options->output, "picture to write (.png or .jpg)")
      ->required()
      ->type_name("FILE");
  command->add_option("--channels", options->drawing.channels, "maps per layer")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->add_option("--cell", options->drawing.cell, "long side of a map, in pixels")
      ->check(CLI::Range(16, 2048))
      ->capture_default_str();
  command->add_option("--colors", options->colors, "magma or gray")
      ->check(CLI::IsMember({"magma", "gray"}))
      ->capture_default_str();
  add_common_options(*command, options->common);
  command->callback([options, &chosen] { chosen = [options] { return run_features(*options); }; });
}

}  // namespace chiaro
