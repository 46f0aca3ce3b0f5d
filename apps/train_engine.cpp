// train_engine CONFIG.toml: trains a style-transfer network, with task = "depth" a depth network, with
// task = "distill" a small loss network.
#include <CLI/CLI.hpp>

#include "apps/common/program.hpp"
#include "apps/training/config.hpp"
#include "apps/training/training_run.hpp"
#include "kernels/base/error.hpp"

int main(int argc, char** argv) {
  CLI::App app{
      "Trains a network that restyles pictures in one pass and keeps their depth,\n"
      "with task = \"depth\" a network that sees depth,\n"
      "or with task = \"distill\" a small network that imitates VGG-19 in the losses.\n"
      "Example: train_engine starry_night.toml --set data.train=photos --set loss.depth.weight=0",
      "train_engine"};
  std::string config_file, resume;
  std::vector<std::string> overrides;
  chiaro::CommonOptions common;
  bool no_reuse = false, keys = false;
  auto* config_option = app.add_option("CONFIG", config_file, "configuration (TOML)");
  app.add_option("--resume", resume, "continue the run in this folder")->excludes(config_option);
  app.add_option("--set", overrides, "override a key of the configuration: --set train.iterations=100")
      ->allow_extra_args(false);
  app.add_flag("--keys", keys, "print every key of the configuration, its default and its meaning");
  app.add_flag("--no-reuse", no_reuse,
               "give every tensor memory of its own (to bisect a suspected planning mistake)");
  chiaro::add_common_options(app, common);

  return chiaro::run_program(app, argc, argv, [&] {
    if (keys) {
      std::fputs(chiaro::key_table().c_str(), stdout);
      return 0;
    }
    if (config_file.empty() && resume.empty())
      throw chiaro::Error("give a CONFIG.toml, or --resume and a run folder; see --help");
    if (!resume.empty() && app.count("--precision") > 0)
      throw chiaro::Error("--resume with --precision: a run keeps the precision that it started with");
    chiaro::Context context = chiaro::make_context(common);
    const chiaro::TrainOptions options{.session = {.reuse_memory = !no_reuse}};
    if (!resume.empty()) return chiaro::resume(context, resume, overrides, options);
    chiaro::TrainConfig config = chiaro::load_config(config_file, overrides);
    if (app.count("--precision") > 0) config.train.precision = common.precision;
    return chiaro::train(context, config, options);
  });
}
