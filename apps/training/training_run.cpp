#include "apps/training/training_run.hpp"

#include <memory>

#include "apps/common/program.hpp"
#include "apps/training/balance.hpp"
#include "apps/training/run_folder.hpp"
#include "apps/training/run_lock.hpp"
#include "apps/training/training_loop.hpp"
#include "apps/training/training_task.hpp"
#include "engine/file_util.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

namespace {

std::unique_ptr<TrainingTask> make_task(const TaskSetup& setup) {
  if (setup.config.task != Task::Style && setup.config.optimizer.average > 0)
    throw Error("optimizer.average = {}: is for task = \"style\"; set it to 0",
                setup.config.optimizer.average);
  if (setup.config.task == Task::Depth) return make_depth_task(setup);
  if (setup.config.task == Task::Distill) return make_distill_task(setup);
  return make_style_task(setup);
}

TrainConfig balanced(Context& context, const TrainConfig& config, DType dtype, const TrainOptions& options,
                     const RunClock& clock) {
  TrainConfig result =
      balance_losses(context, config, open_photo_source(config.data.train), dtype, options.session, clock);
  std::vector<std::string> found;
  for (const auto& term : result.loss.terms())
    found.push_back(fmt::format("{} {:.4g}", term.name, *term.weight));
  say(stderr, "weights from shares: {}\n", listed(found));
  return result;
}

void announce(const TaskSetup& setup, TrainingTask& task) {
  say(stderr, "{}, precision {}; {}; {} parameters; {:.0f} MiB planned for a step\n",
      setup.context.description(), setup.config.train.precision, task.data_text(),
      task.params().parameter_count(), static_cast<double>(task.arena_bytes()) / (1 << 20));
  for (const auto& note : task.notes()) say(stderr, "note: {}\n", note);
  if (const std::string note = setup.context.tally().complaint(); !note.empty())
    say(stderr, "note: {}\n", note);
}

}  // namespace

int train(Context& context, const TrainConfig& config, const TrainOptions& options) {
  const RunClock clock(config.train.minutes);
  const DType dtype = choose_precision(context, config.train.precision);
  TrainConfig resolved = config;
  resolved.train.precision = precision_name(context, dtype);
  if (resolved.task != Task::Style && resolved.optimizer.average == OptimizerConfig{}.average)
    resolved.optimizer.average = 0;  // it is for style networks
  const RunLock lock(resolved.train.out);
  RunFolder::require_new(resolved.train.out);
  if (resolved.task == Task::Style && resolved.loss.balance == Balance::Gradient)
    resolved = balanced(context, resolved, dtype, options, clock);
  const TaskSetup setup{context, resolved, dtype, options.session};
  const auto task = make_task(setup);
  RunFolder folder = RunFolder::create(resolved);
  folder.record_data(task->data_names());
  announce(setup, *task);
  return TrainingLoop(setup, std::move(folder), *task, 0, clock).execute();
}

int resume(Context& context, const std::filesystem::path& run, const std::vector<std::string>& overrides,
           const TrainOptions& options) {
  require_same_results(overrides);
  RunFolder folder = RunFolder::open(run);
  const RunLock lock(folder.path());
  folder.sweep();
  const std::int64_t iterations = load_config(folder.config_file()).train.iterations;
  TrainConfig config = load_config(folder.config_file(), overrides);
  if (config.optimizer.schedule == Schedule::Cosine && config.train.iterations != iterations)
    throw Error(
        "--resume with --set train.iterations={}: optimizer.schedule = \"cosine\" has used the length of the "
        "run, {}; for more, start a new run from this one's model with model.init",
        config.train.iterations, iterations);
  config.train.out = folder.path().string();
  RunClock clock(config.train.minutes);
  const DType dtype = choose_precision(context, config.train.precision);
  const TaskSetup setup{context, config, dtype, options.session, !folder.checkpoints().empty()};
  const auto task = make_task(setup);
  folder.check_data(task->data_names());
  const auto info = restore(folder, task->params(), task->statistics());
  const std::int64_t done = info ? info->iteration : 0;
  if (info) clock.add(info->seconds);
  require_not_over(config, folder, done);
  note_changes(context, info);
  folder.truncate_metrics(done);
  write_text(folder.config_file(), to_toml(config));
  announce(setup, *task);
  announce_resume(info, config.train.minutes);
  return TrainingLoop(setup, std::move(folder), *task, done, clock).execute();
}

}  // namespace chiaro
