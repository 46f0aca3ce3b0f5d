#include "apps/training/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace chiaro {

namespace {

constexpr std::size_t kWindow = 50;        // iterations that the rate is taken over
constexpr double kTerminalPeriod_s = 0.2;  // between two rewrites of the line
constexpr double kLogPeriod_s = 10;        // between two lines where there is no terminal

}  // namespace

std::string duration_text(double seconds) {
  const auto s = static_cast<std::int64_t>(std::llround(seconds));
  if (s >= 3600) return fmt::format("{}h {:02}m", s / 3600, s / 60 % 60);
  if (s >= 60) return fmt::format("{}m {:02}s", s / 60, s % 60);
  return fmt::format("{}s", s);
}

Progress::Progress(std::int64_t total, std::int64_t items_per_iteration)
    : total_(total),
      items_(items_per_iteration),
      last_(Clock::now()),
      terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::note(std::int64_t iteration) {
  const auto now = Clock::now();
  if (last_) {
    seconds_.push_back(std::chrono::duration<double>(now - *last_).count());
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

std::string Progress::remaining() const {
  const double rate = items_per_second();
  return rate > 0 ? duration_text(static_cast<double>((total_ - iteration_) * items_) / rate) : "?";
}

void Progress::show(const std::string& text, bool force) {
  const auto now = Clock::now();
  const double since = std::chrono::duration<double>(now - shown_).count();
  if (!force && since < (terminal_ ? kTerminalPeriod_s : kLogPeriod_s)) return;
  shown_ = now;
  if (terminal_)
    fmt::print(stderr, "\r{}\x1b[K", text);
  else
    fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
  line_open_ = terminal_;
}

void Progress::finish_line() {
  if (line_open_) fmt::print(stderr, "\n");
  line_open_ = false;
}

}  // namespace chiaro
