// Ctrl-C and termination end a run after the iteration at hand; asked twice, the program ends at once.
#pragma once
#include <array>
#include <csignal>

namespace chiaro {

// While it lives, SIGINT and SIGTERM are only noted. One at a time.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

 private:
  static constexpr std::array<int, 2> kSignals{SIGINT, SIGTERM};
  std::array<void (*)(int), 2> before_;
};

// Whether a signal came since the guard was made.
bool stop_requested();

}  // namespace chiaro
