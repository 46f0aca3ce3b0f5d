#include "apps/training/signal_guard.hpp"

#include <cstdlib>

namespace chiaro {

namespace {

volatile std::sig_atomic_t stop_signal = 0;

void note_signal(int signal) {
  if (stop_signal) std::_Exit(128 + signal);
  stop_signal = signal;
}

}  // namespace

SignalGuard::SignalGuard() {
  stop_signal = 0;
  for (std::size_t i = 0; i < kSignals.size(); ++i) before_[i] = std::signal(kSignals[i], note_signal);
}

SignalGuard::~SignalGuard() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) std::signal(kSignals[i], before_[i]);
}

bool stop_requested() {
  return stop_signal != 0;
}

}  // namespace chiaro
