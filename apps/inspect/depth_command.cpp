#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "apps/common/program.hpp"
#include "apps/evaluate/depth_estimator.hpp"
#include "apps/evaluate/depth_picture.hpp"
#include "apps/inspect/commands.hpp"
#include "engine/file_util.hpp"
#include "engine/io/h5_file.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

namespace {

struct DepthOptions {
  std::string image, weights, output, raw;
  std::int64_t size = 384;
  CommonOptions common{.precision = "fp32"};
};

constexpr std::int64_t kBarGap = 4;

// The map above its scale, which gets larger letters in larger pictures.
Image with_scale_bar(const Image& map, DepthRange range) {
  const std::int64_t scale = std::max<std::int64_t>(1, map.width / 480);
  Image picture(map.height + kBarGap + scale_bar_height(scale), map.width, 3, 255);
  std::copy(map.pixels.begin(), map.pixels.end(), picture.pixels.begin());
  draw_scale_bar(picture, map.height + kBarGap, 0, map.width, ColorMap::Depth, range, scale);
  return picture;
}

void write_raw(const DepthOptions& options, const DepthMap& map, const std::string& precision) {
  H5Writer file(options.raw);
  file.floats("depth", std::array{map.height, map.width}, map.meters);
  file.attribute("/", "unit", "m");
  file.attribute("/", "image", options.image);
  file.attribute("/", "weights", options.weights);
  file.attribute("/", "precision", precision);
  file.close();
}

Image seen_by_network(const DepthOptions& options, const Image& picture) {
  const PictureSize own{picture.height, picture.width};
  const PictureSize size = options.size > 0 ? scaled_to(own, options.size) : own;
  if (std::min({own.height, own.width, size.height, size.width}) < kSmallestPicture)
    throw Error("{}: {}x{} pixels are too few; at least {}x{} are needed", options.image,
                std::min(own.width, size.width), std::min(own.height, size.height), kSmallestPicture,
                kSmallestPicture);
  return resize(picture, size.height, size.width);
}

int run_depth(const DepthOptions& options) {
  Context context = make_context(options.common);
  const DType dtype = choose_precision(context, options.common.precision);
  const Image picture = flatten_alpha(decode_image(options.image));
  const Image seen = seen_by_network(options, picture);
  require_place(options.output);  // before the work: may files be made there?
  if (!options.raw.empty()) require_place(options.raw);
  DepthEstimator network(context, options.weights, dtype);
  const DepthMap map = resize_bilinear(network.estimate(seen), picture.height, picture.width);

  const std::vector<float> depths = depths_of(map);
  if (depths.empty())
    say(stdout, "no depth above 0 anywhere\n");
  else
    say(stdout, "min {:.3f} m, median {:.3f} m, max {:.3f} m\n", quantile(depths, 0), quantile(depths, 0.5),
        quantile(depths, 1));
  if (depths.size() < map.meters.size())
    say(stdout, "{} of {} pixels have no depth (drawn gray)\n", map.meters.size() - depths.size(),
        map.meters.size());
  encode_image(options.output, with_scale_bar(draw_depth(map, range_of(map, 0)), range_of(map, 0)));
  say(stdout, "{}\n", options.output);
  if (options.raw.empty()) return 0;
  write_raw(options, map, precision_name(context, dtype));
  say(stdout, "{}\n", options.raw);
  return 0;
}

}  // namespace

void add_depth_command(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<DepthOptions>();
  CLI::App* command = app.add_subcommand("depth", "draw the depth map of a picture");
  command->footer(
      "Near is yellow, far is violet. The map has the size of the picture, enlarged bilinearly from the\n"
      "network's resolution; below it is a scale in meters.\n"
      "Example:\n"
      "  inspect_engine depth photo.jpg --weights depth.h5 -o depth.png --raw depth_map.h5");
  command->add_option("IMAGE", options->image, "picture (JPEG, PNG, BMP)")->required();
  command->add_option("--weights", options->weights, "depth network (ResNet-UpProj)")
      ->required()
      ->type_name("FILE");
  command->add_option("-o,--output", options->output, "picture to write (.png or .jpg)")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--raw", options->raw,
                   "HDF5 file for the map itself: dataset depth (height, width), meters")
      ->type_name("FILE");
  command
      ->add_option("--size", options->size,
                   "long side of what the network sees, in pixels; 0 = the picture's own")
      ->check(CLI::Range(0, 65536))
      ->capture_default_str();
  add_common_options(*command, options->common);
  command->callback([options, &chosen] { chosen = [options] { return run_depth(*options); }; });
}

}  // namespace chiaro
