// The optimiser that a configuration asks for, on all parameters of a network.
#pragma once
#include <span>

#include "engine/config/config.hpp"
#include "engine/param_store.hpp"
#include "kernels/common/context.hpp"

namespace chiaro {

// lr * decay^k, k = how many times decay_every iterations have passed before this step; it counts from 1.
double learning_rate(const OptimizerConfig& config, std::int64_t step);

// A part of the slab that learns at a rate of its own.
struct ParamRange {
  std::int64_t first, count;  // floats
  double lr_factor = 1;       // of the learning rate
};

// One step of Adam, or of SGD, whose velocity is kept where Adam keeps the first moments: of all parameters,
// or of the ranges.
void optimizer_step(Context& context, const OptimizerConfig& config, std::int64_t step, ParamStore& params);
void optimizer_step(Context& context, const OptimizerConfig& config, std::int64_t step, ParamStore& params,
                    std::span<const ParamRange> ranges);

}  // namespace chiaro
