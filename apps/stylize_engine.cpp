// stylize_engine --model M.h5 INPUT... -o OUT: restyles pictures with a trained network.
#include <CLI/CLI.hpp>

#include "apps/stylize/stylize_run.hpp"

int main(int argc, char** argv) {
  chiaro::StylizeOptions options;
  CLI::App app{
      "Restyles pictures (JPEG, PNG, WebP, BMP) with a trained network. A result has the size of its picture and\n"
      "keeps its transparency. Color profiles and the orientation that a camera noted are applied to the\n"
      "pixels: results are sRGB. Other metadata are not kept.\n"
      "Examples:\n"
      "  stylize_engine --style wave photo.jpg -o wave.png\n"
      "  stylize_engine --style wave=0.6,the_scream=0.4 photo.jpg -o mixed.png\n"
      "  stylize_engine --style all photo.jpg -o styles/\n"
      "  stylize_engine --model runs/candy/model.h5 holiday/ portrait.png -o styled/ --max-size 2048",
      "stylize_engine"};
  app.footer(
      "All pictures are checked before the first one is worked on. Those that cannot be styled are named on\n"
      "standard error and the others finished; the exit status is 0 only if every picture was styled.");
  app.add_option("INPUT", options.inputs, "pictures, or folders to search for them")->required();
  app.add_option("--model", options.model, "weights file, or the name of a model that comes with chiaro")
      ->capture_default_str()
      ->type_name("FILE|NAME");
  app.add_option("--style", options.style,
                 "of a model with several styles: one, a mixture, or all, each result with its style's name")
      ->type_name("NAME|NAME=SHARE,...|all");
  app.add_option(
         "-o,--output", options.output,
         "a .png or .jpg file for one picture, - for standard output (PNG), or a folder (created) for results of "
         "the same names")
      ->required()
      ->type_name("FILE|FOLDER");
  app.add_option("--format", options.format, "of all results; default: that of the picture (WebP, BMP: png)")
      ->check(CLI::IsMember({"png", "jpg"}));
  app.add_option("--quality", options.jpeg_quality, "of results in JPEG")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  app.add_option("--max-size", options.max_size, "scale larger pictures down to this long side, in pixels")
      ->check(CLI::Range(16, 65536))
      ->type_name("PIXELS");
  app.add_option("--memory-limit", options.memory_limit_mib,
                 "refuse pictures that need more; default: what is available now")
      ->check(CLI::Range(1, 1 << 30))
      ->type_name("MiB");
  app.add_option("--strip", options.strip,
                 "also write a picture strip: up to six photographs above their results")
      ->type_name("FILE");
  app.add_flag("--verbose", options.verbose, "sizes, memory and times of every picture");
  chiaro::add_common_options(app, options.common);
  return chiaro::run_program(app, argc, argv, [&] { return chiaro::stylize(options); });
}
