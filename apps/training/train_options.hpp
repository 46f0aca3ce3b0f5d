// What a training run may be told beyond its configuration.
#pragma once
#include "engine/session_plan.hpp"

namespace chiaro {

struct TrainOptions {
  SessionOptions session;
};

}  // namespace chiaro
