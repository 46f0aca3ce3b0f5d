// The running average of a slab of parameters.
//   a = a + rate * (p - a)
// a, p: `count` fp32 each; a is updated in place; they must not overlap.
// rate: one fp32 where the parameters are, read when the work runs: recorded once, it can be replayed with
// that of every step.
// Deterministic: element by element, in fp32.
// Errors: chiaro::Error for missing arguments.
// Source: Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging", in exponential
// form.
#pragma once
#include <cstdint>

#include "kernels/base/context.hpp"

namespace chiaro::running_average {

void step(Context& context, const float* rate, std::int64_t count, const float* p, float* a);

// Arguments are checked by the function above.
namespace cpu {
void step(float rate, std::int64_t count, const float* p, float* a);
}  // namespace cpu

}  // namespace chiaro::running_average
