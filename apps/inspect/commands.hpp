// The sub-commands of inspect_engine. Each adds itself to the program; when the command line names it,
// `chosen` is set to what it does and returns as exit status.
#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace chiaro {

using Command = std::function<int()>;

void add_activations_command(CLI::App& app, Command& chosen);
void add_depth_command(CLI::App& app, Command& chosen);
void add_features_command(CLI::App& app, Command& chosen);
void add_gradients_command(CLI::App& app, Command& chosen);
void add_model_command(CLI::App& app, Command& chosen);
void add_plan_command(CLI::App& app, Command& chosen);

}  // namespace chiaro
