// inspect_engine COMMAND: shows what is inside models, networks and training runs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "apps/common/program.hpp"
#include "apps/inspect/commands.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/base/say.hpp"

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
  // CLI11 would only say that a command is needed.
  if (argc > 1 && argv[1][0] != '-') {
    std::vector<std::string> commands;
    for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
    if (std::ranges::find(commands, argv[1]) == commands.end()) {
      chiaro::say(stderr, "inspect_engine: no command '{}', expected {}{}\n", std::string(argv[1]),
                  chiaro::listed(commands), chiaro::did_you_mean(argv[1], commands));
      return 2;
    }
  }
  app.set_version_flag("--version", std::string("chiaro ") + chiaro::kVersion);
  return chiaro::run_program(app, argc, argv, [&] {
    const int status = chosen();
    chiaro::check_output();
    return status;
  });
}
