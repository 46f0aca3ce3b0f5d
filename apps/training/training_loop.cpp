#include "apps/training/training_loop.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "apps/training/run_folder.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

RunClock::RunClock(double minutes, Now now)
    : now_(std::move(now)),
      begin_(now_()),
      limit_(minutes > 0 ? 60 * minutes : std::numeric_limits<double>::infinity()) {}

namespace {

volatile std::sig_atomic_t stop_signal = 0;

// A terminal that goes sends SIGHUP more than once, and often SIGTERM after it.
void note_signal(int signal) {
  if (signal != SIGHUP && stop_signal && stop_signal != SIGHUP) std::_Exit(128 + signal);
  if (signal != SIGHUP || !stop_signal) stop_signal = signal;
}

}  // namespace

SignalGuard::SignalGuard() {
  stop_signal = 0;
  for (std::size_t i = 0; i < kSignals.size(); ++i) before_[i] = std::signal(kSignals[i], note_signal);
  if (before_.back() == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
}

SignalGuard::~SignalGuard() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) std::signal(kSignals[i], before_[i]);
}

bool stop_requested() {
  return stop_signal != 0;
}

namespace {

constexpr std::size_t kWindow = 50;  // iterations that the rate is taken over

}  // namespace

Progress::Progress(std::int64_t total, std::int64_t items_per_iteration, std::int64_t done)
    : total_(total), items_(items_per_iteration), iteration_(done), last_(steady_seconds()) {}

void Progress::note(std::int64_t iteration) {
  const double now = steady_seconds();
  if (last_) {
    seconds_.push_back(now - *last_);
    if (seconds_.size() > kWindow) seconds_.pop_front();
  }
  last_ = now;
  iteration_ = iteration;
}

double Progress::items_per_second() const {
  if (seconds_.empty()) return 0;
  std::vector<double> sorted(seconds_.begin(), seconds_.end());
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2),
                   sorted.end());
  return static_cast<double>(items_) / sorted[sorted.size() / 2];
}

std::string Progress::remaining(double limit_s) const {
  const double rate = items_per_second();
  const double needed = rate > 0 ? static_cast<double>((total_ - iteration_) * items_) / rate
                                 : std::numeric_limits<double>::infinity();
  const double left = std::min(needed, limit_s);
  return std::isfinite(left) ? duration_text(left) : "?";
}

TrainingLoop::TrainingLoop(const TaskSetup& setup, RunFolder folder, TrainingTask& task, std::int64_t done,
                           const RunClock& clock)
    : setup_(setup),
      run_(setup.config.train),
      folder_(std::move(folder)),
      task_(task),
      clock_(clock),
      progress_(run_.iterations, setup.config.data.batch_size, done),
      done_(done),
      saved_(done),
      over_(over()) {}

int TrainingLoop::execute() {
  const SignalGuard signals;
  task_.begin(folder_, done_);
  while (!over_ && !stop_requested()) {
    iterate();
    // Before the checkpoint, so that a run that goes on from it has the validation and its model.
    if (task_.after_step(done_, over_)) progress_.pause();
    if (due(run_.checkpoint_every)) save_checkpoint();
    if (due(run_.preview_every)) write_preview();
  }
  progress_.finish_line();
  if (saved_ != done_) save_checkpoint();
  if (const std::string skipped = task_.skipped_summary(); !skipped.empty()) say_text(stderr, skipped + "\n");
  return over_ ? finish() : stop();
}

// Previews and the report are for looking at: where they cannot be written the training goes on, with a note.
bool TrainingLoop::attempt(const std::function<void()>& write) {
  try {
    write();
    noted_ = false;
    return true;
  } catch (const Error& error) {
    progress_.finish_line();
    if (!noted_) say(stderr, "note: {}; the training goes on\n", std::string(error.what()));
    noted_ = true;
    return false;
  }
}

int TrainingLoop::stop() {
  attempt([&] { write_report(folder_); });
  say(stdout, "stopped after iteration {}; continue with: train_engine --resume {}\n", done_,
      folder_.path().string());
  return 130;
}

int TrainingLoop::finish() {
  if (run_.preview_every > 0 && previewed_ != done_) write_preview();
  const std::string lines = task_.finish(done_);
  folder_.sync_metrics();
  const bool reported = attempt([&] { write_report(folder_); });
  std::string end;
  if (done_ < run_.iterations)
    end = fmt::format(
        ", then the time was up (train.minutes = {}); for more: train_engine --resume {} --set "
        "train.minutes={}",
        run_.minutes, folder_.path().string(), 2 * run_.minutes);
  say(stdout, "trained {} iterations{}\n  model   {}", done_, end, folder_.model_file().string());
  say_text(stdout, lines);
  say(stdout, "\n  report  {}\n", reported ? folder_.report_file().string() : "cannot be written");
  return 0;
}

void TrainingLoop::iterate() {
  const std::int64_t iteration = done_ + 1, every = run_.gradient_norms_every;
  const bool with_norms = every > 0 && (iteration == 1 || iteration % every == 0);
  MetricsLine line{{"iteration", iteration}};
  try {
    task_.step(iteration, with_norms, line);
  } catch (const NotFinite& found) {
    progress_.finish_line();
    attempt([&] { write_report(folder_); });
    throw stopped_run(folder_, iteration, saved_, found.what(), found.remedy());
  }
  done_ = iteration;
  over_ = over();
  progress_.note(done_);
  log(line, with_norms);
}

void TrainingLoop::log(MetricsLine& line, bool always) {
  line["images_per_s"] = progress_.items_per_second();
  if (always || due(run_.log_every)) folder_.append_metrics(line.dump());
  progress_.show(
      fmt::format("{}/{}  {:.2f} images/s  {} left{}", done_, run_.iterations, progress_.items_per_second(),
                  progress_.remaining(clock_.left()), task_.progress_text()),
      over_);
}

void TrainingLoop::save_checkpoint() {
  // The lines up to a checkpoint are on the disk before it is; where they cannot be, the weights still come first.
  std::string lost;
  try {
    folder_.sync_metrics();
  } catch (const Error& error) {
    lost = error.what();
  }
  try {
    write_checkpoint(folder_.checkpoint_file(done_),
                     {.iteration = done_,
                      .seconds = clock_.seconds(),
                      .threads = setup_.context.threads(),
                      .device = name_of(setup_.context.device()),
                      .precision = setup_.config.train.precision,
                      .config = to_toml(setup_.config)},
                     task_.params(), task_.statistics());
  } catch (const Error& error) {
    progress_.finish_line();
    throw Error("iteration {}: {}; {}", done_, error.what(), last_checkpoint(folder_, saved_));
  }
  folder_.prune_checkpoints(done_, run_.keep_checkpoints);
  saved_ = done_;
  progress_.pause();
  if (lost.empty()) return;
  progress_.finish_line();
  throw Error("iteration {}: {}; {}", done_, lost, last_checkpoint(folder_, saved_));
}

void TrainingLoop::write_preview() {
  const Image preview = task_.preview();
  attempt([&] {
    if (preview.height > 0) encode_image(folder_.preview_file(done_).string(), preview);
    write_report(folder_);
  });
  previewed_ = done_;
  progress_.pause();
}

}  // namespace chiaro
