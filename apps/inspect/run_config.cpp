#include "apps/inspect/run_config.hpp"

#include <CLI/CLI.hpp>

namespace chiaro {

CLI::Option* add_config_options(CLI::App& command, ConfigOptions& options) {
  auto* file = command.add_option("CONFIG", options.file, "configuration of a training run (TOML)");
  command
      .add_option("--set", options.overrides,
                  "override a key of the configuration: --set data.image_size=128")
      ->allow_extra_args(false);
  options.common.precision = "";
  add_common_options(command, options.common);
  command.get_option("--precision")->default_str("the configuration's");
  return file;
}

RunConfigAndPrecision load_run_config(Context& context, const ConfigOptions& options) {
  TrainConfig config = load_config(options.file, options.overrides);
  if (config.task != Task::Style)
    throw Error("{}: task = \"{}\"; this command reads configurations of task \"style\" only", options.file,
                kTaskNames[static_cast<std::size_t>(config.task)]);
  if (!options.common.precision.empty()) config.train.precision = options.common.precision;
  const DType dtype = choose_precision(context, config.train.precision);
  config.train.precision = precision_name(context, dtype);
  return {std::move(config), dtype};
}

}  // namespace chiaro
