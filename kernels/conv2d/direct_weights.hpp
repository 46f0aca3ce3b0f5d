// The weight gradient by vector loops of our own; see direct_weights_cpu.cpp.
#pragma once
#include "kernels/conv2d/pass_plan.hpp"

namespace chiaro::conv2d {

std::unique_ptr<PassPlan> make_direct_weights(const PassProblem&);  // fp32

}  // namespace chiaro::conv2d
