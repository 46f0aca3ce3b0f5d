#include "apps/common/progress_line.hpp"
#include "kernels/base/say.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace chiaro {

namespace {

constexpr double kTerminalPeriod_s = 0.2;  // between two rewrites of the line
constexpr double kLogPeriod_s = 10;        // between two lines where there is no terminal
constexpr double kShort_s = 2;             // what takes no longer needs no line on a terminal

}  // namespace

ProgressLine::ProgressLine(Begin begin)
    : ProgressLine(begin, stderr, isatty(STDERR_FILENO) == 1, steady_seconds) {}

ProgressLine::ProgressLine(Begin begin, std::FILE* out, bool terminal, Now now)
    : out_(out),
      terminal_(terminal),
      now_(std::move(now)),
      next_(now_() + (begin == Begin::AtOnce ? 0
                      : terminal             ? kShort_s
                                             : kLogPeriod_s)) {}

void ProgressLine::show(const std::string& text, bool force) {
  const double now = now_();
  if (!force && now < next_) return;
  next_ = now + (terminal_ ? kTerminalPeriod_s : kLogPeriod_s);
  if (terminal_)
    say(out_, "\r{}\x1b[K", text);
  else
    say(out_, "{}\n", text);
  std::fflush(out_);
  open_ = terminal_;
}

void ProgressLine::finish() {
  if (open_) say(out_, "\n");
  open_ = false;
}

void ProgressLine::clear() {
  if (open_) {
    say(out_, "\r\x1b[K");
    std::fflush(out_);
  }
  open_ = false;
}

std::string duration_text(double seconds) {
  const auto s = static_cast<std::int64_t>(std::llround(std::min(seconds, 1e15)));
  if (s >= 3600) return fmt::format("{}h {:02}m", s / 3600, s / 60 % 60);
  if (s >= 60) return fmt::format("{}m {:02}s", s / 60, s % 60);
  return fmt::format("{}s", s);
}

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace chiaro
