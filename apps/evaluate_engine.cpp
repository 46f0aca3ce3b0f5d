// evaluate_engine PHOTOS... --model M.h5 --depth D.h5 -o OUT: how well stylized pictures keep depth, style,
// content.
#include <CLI/CLI.hpp>

#include "apps/evaluate/evaluate_run.hpp"

namespace {

using Kind = chiaro::CandidateSpec::Kind;

// --model and --styled in the order in which they were given.
std::vector<chiaro::CandidateSpec> candidates_of(const CLI::App& app, const CLI::Option* model,
                                                 const CLI::Option* styled) {
  std::vector<chiaro::CandidateSpec> candidates;
  std::size_t models = 0, folders = 0;
  for (const CLI::Option* option : app.parse_order()) {
    if (option == model)
      candidates.push_back(chiaro::parse_candidate(model->results().at(models++), Kind::Model));
    if (option == styled)
      candidates.push_back(chiaro::parse_candidate(styled->results().at(folders++), Kind::Folder));
  }
  return candidates;
}

}  // namespace

int main(int argc, char** argv) {
  chiaro::EvaluateOptions options;
  std::vector<std::string> models, folders;
  CLI::App app{
      "Measures what stylizing does to photos: how well their depth is kept, as a depth network sees it, how "
      "near\n"
      "the pictures come to a style, and how far they go from the photo.\n"
      "Examples:\n"
      "  evaluate_engine photos/ --model plain=runs/plain/model.h5 --model deep=runs/deep/model.h5 \\\n"
      "      --depth depth.h5 --style wave.jpg --vgg19 vgg19.h5 -o evaluation\n"
      "  evaluate_engine photos/ --styled theirs/ --depth depth.h5 -o evaluation",
      "evaluate_engine"};
  app.footer(
      "depth     D = the depth network: D(photo) against D(stylized), meters, at the network's resolution;\n"
      "          1.25, 1.25^2, 1.25^3: share of pixels whose depths have a smaller ratio; SSIM, Spearman: 1 "
      "= same;\n"
      "          valid: share of pixels where both depths are above 0, all others are left out\n"
      "style     distance of Gram matrices to the style picture's: 1 = that of the photo, 0 = reached\n"
      "content   distance to the photo: 0 = none, 1 = that of the style picture\n"
      "gray SSIM of photo and stylized picture\n"
      "white, black  share of pixels, in %, that are blown out (all channels 250 or more) or blacked out (5 "
      "or less)\n"
      "          beyond the photo's own\n"
      "OUT gets evaluation.json (every photo, every number) and sheet.jpg. A photo that cannot be judged is "
      "named\n"
      "on standard error and left out for all; the exit status is 0 only if every photo was judged.");
  app.add_option("PHOTOS", options.inputs, "photos, or folders to search for .jpg, .jpeg, .png and .bmp")
      ->required();
  const auto* model =
      app.add_option("--model", models,
                     "a transform network (or the name of one that comes with chiaro); may be repeated")
          ->allow_extra_args(false)
          ->type_name("[NAME=]FILE[@STYLE]");
  const auto* styled =
      app.add_option("--styled", folders, "pictures stylized before, of the photos' names; may be repeated")
          ->allow_extra_args(false)
          ->type_name("[NAME=]FOLDER");
  app.add_option("--depth", options.depth, "depth network (ResNet-UpProj)")->type_name("FILE");
  app.add_option("--style", options.style, "style picture")->type_name("FILE");
  app.add_option("--style-size", options.style_size,
                 "its long side in pixels, as style.size in training; 0 = its own")
      ->check(CLI::Range(0, 65536))
      ->capture_default_str();
  app.add_option("--vgg19", options.vgg19, "VGG-19 weights, or random")->type_name("FILE");
  app.add_option("--style-layers", options.style_layers, "layers of the Gram matrices, separated by commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("--content-layer", options.content_layer, "layer of the content distance")
      ->capture_default_str();
  app.add_option("--size", options.size,
                 "long side in pixels at which photos are stylized and judged; 0 = their own")
      ->check(CLI::Range(0, 65536))
      ->capture_default_str();
  app.add_flag("--median-scaling", options.median_scaling,
               "scale D(stylized) to the median of D(photo) first");
  app.add_option("--sheet", options.sheet, "photos on the picture sheet; 0 = no sheet")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  app.add_option("-o,--output", options.output, "folder for the results (created)")
      ->required()
      ->type_name("FOLDER");
  chiaro::add_common_options(app, options.common);
  return chiaro::run_program(app, argc, argv, [&] {
    for (int i = 0; i < argc; ++i)
      options.command += (i > 0 ? " " : "") + std::string(i > 0 ? argv[i] : "evaluate_engine");
    options.candidates = candidates_of(app, model, styled);
    return chiaro::evaluate(options);
  });
}
