#include "apps/training/run_clock.hpp"

#include <limits>

namespace chiaro {

RunClock::RunClock(double minutes, Now now)
    : now_(std::move(now)),
      begin_(now_()),
      limit_(minutes > 0 ? 60 * minutes : std::numeric_limits<double>::infinity()) {}

}  // namespace chiaro
