// The configuration of a training run, as the commands gradients and plan take it.
#pragma once
#include <string>
#include <vector>

#include "apps/common/program.hpp"
#include "apps/training/config.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace chiaro {

struct ConfigOptions {
  std::string file;
  std::vector<std::string> overrides;
  CommonOptions common;
};

// CONFIG, --set and the common options. Returns the option CONFIG, which is not yet required.
CLI::Option* add_config_options(CLI::App& command, ConfigOptions& options);

struct RunConfigAndPrecision {
  TrainConfig config;  // its train.precision is dtype's name
  DType dtype;
};

// Reads the configuration of a style run; --precision goes before the file's. Errors of load_config(), and
// another task.
RunConfigAndPrecision load_run_config(Context& context, const ConfigOptions& options);

}  // namespace chiaro
