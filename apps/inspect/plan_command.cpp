#include <CLI/CLI.hpp>
#include <charconv>

#include "apps/inspect/commands.hpp"
#include "apps/inspect/run_config.hpp"
#include "apps/stylize/memory_budget.hpp"
#include "apps/training/style_graph.hpp"
#include "engine/session_plan.hpp"
#include "kernels/base/say.hpp"
#include "layers/networks/transform_net/transform_model.hpp"

namespace chiaro {

namespace {

struct PlanOptions : ConfigOptions {
  std::string size;              // "HEIGHTxWIDTH"; "" = plan a training step
  std::int64_t model_width = 0;  // 0 = the configuration's
};

PictureSize parse_size(const std::string& text) {
  PictureSize size;
  const std::size_t x = text.find('x');
  const auto number = [&](std::size_t begin, std::size_t end, std::int64_t& value) {
    const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, value);
    return error == std::errc{} && stop == text.data() + end && value >= kTransformNetMinimumSize &&
           value <= 65536;
  };
  if (x == std::string::npos || !number(0, x, size.height) || !number(x + 1, text.size(), size.width))
    throw Error("--size {}: expected HEIGHTxWIDTH in pixels, {} to 65536 each, such as 1080x1920", text,
                kTransformNetMinimumSize);
  return size;
}

void print_bytes(const char* what, std::int64_t bytes) {
  say(stdout, "{:<44} {:>14}  {:>10}\n", what, bytes, format_bytes(bytes));
}

int plan_stylizing(Context& context, const PlanOptions& options) {
  const PictureSize size = parse_size(options.size);
  TrainConfig config;
  DType dtype;
  if (options.file.empty()) {
    dtype = choose_precision(context, options.common.precision);
  } else {
    auto loaded = load_run_config(context, options);
    config = std::move(loaded.config);
    dtype = loaded.dtype;
  }
  TransformNet network = transform_net_config(config);
  if (options.model_width > 0) network.width = options.model_width;
  say(stdout, "{} x {} pixels (height x width), network of width {}, {}\n", size.height, size.width,
      network.width, precision_name(context, dtype));
  print_bytes("stylizing", Stylizer::estimate_bytes(context, network, size.height, size.width, dtype));
  return 0;
}

int plan_training(Context& context, const PlanOptions& options) {
  if (options.file.empty())
    throw Error("give a CONFIG.toml, or --size HEIGHTxWIDTH to plan stylizing; see --help");
  const auto [config, dtype] = load_run_config(context, options);
  const StyleGraph step = build_style_graph(context, config, dtype, GraphPurpose::Plan);
  for (const auto& note : step.notes) say(stderr, "note: {}\n", note);
  const SessionPlan plan = plan_session(step.graph, {.backward = true});
  const std::int64_t parameters = step.params->slab_count() * 4;

  say(stdout, "{} nodes; steps 0-{} are the forward pass, {}-{} the backward pass; precision {}\n\n",
      step.graph.nodes().size(), step.graph.nodes().size() - 1, step.graph.nodes().size(),
      2 * step.graph.nodes().size() - 1, config.train.precision);
  say_text(stdout, plan.describe() + "\n");
  print_bytes("arena", plan.memory.arena_bytes);
  print_bytes("  lower bound (most alive in one step)", plan.memory.lower_bound);
  print_bytes("  without reuse (sum of all blocks)", plan.memory.unshared_bytes);
  print_bytes("parameters and their gradients", 2 * parameters);
  print_bytes("optimizer (two moments)", 2 * parameters);
  std::int64_t total = plan.memory.arena_bytes + 4 * parameters;
  for (const auto& [name, network] : step.loss_networks) {
    const std::int64_t bytes = network->params().slab_count() * 4;
    print_bytes(("loss network " + name).c_str(), bytes);
    total += bytes;
  }
  print_bytes("together", total);
  say(stdout, "besides: copies of the weights in the form that the device's convolutions want\n");
  return 0;
}

int run_plan(const PlanOptions& options) {
  Context context = make_context(options.common);
  return options.size.empty() ? plan_training(context, options) : plan_stylizing(context, options);
}

}  // namespace

void add_plan_command(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<PlanOptions>();
  CLI::App* command = app.add_subcommand("plan", "show where a training step keeps what, and for how long");
  command->footer(
      "Takes no memory for tensors and needs no photos, style picture or standard weights files: shapes are\n"
      "enough. Sizes are in bytes.\n"
      "Examples:\n"
      "  inspect_engine plan starry_night.toml --set data.batch_size=8\n"
      "  inspect_engine plan --size 1080x1920 --model-width 32");
  add_config_options(*command, *options);
  auto* size =
      command->add_option("--size", options->size, "instead: memory to stylize a picture of this size")
          ->type_name("HEIGHTxWIDTH");
  command->add_option("--model-width", options->model_width, "with --size: width of the network")
      ->needs(size)
      ->check(CLI::Range(1, 1024))
      ->type_name("CHANNELS");
  command->callback([options, &chosen] { chosen = [options] { return run_plan(*options); }; });
}

}  // namespace chiaro
