// inspect_engine COMMAND: shows what is inside models, networks and training runs.
#include <CLI/CLI.hpp>

#include "apps/common/program.hpp"
#include "apps/inspect/commands.hpp"
#include "kernels/base/build_config.hpp"

int main(int argc, char** argv) {
  CLI::App app{
      "Shows what is inside models, networks and training runs.\n"
      "inspect_engine COMMAND --help explains a command and gives an example.",
      "inspect_engine"};
  chiaro::Command chosen;
  app.require_subcommand(1);
  chiaro::add_model_command(app, chosen);
  chiaro::add_features_command(app, chosen);
  chiaro::add_activations_command(app, chosen);
  chiaro::add_depth_command(app, chosen);
  chiaro::add_gradients_command(app, chosen);
  chiaro::add_plan_command(app, chosen);
  app.set_version_flag("--version", std::string("chiaro ") + chiaro::kVersion);
  return chiaro::run_program(app, argc, argv, [&] {
    const int status = chosen();
    chiaro::check_output();
    return status;
  });
}
