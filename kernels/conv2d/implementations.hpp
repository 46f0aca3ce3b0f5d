// The implementations behind conv2d::Plan::make.
#pragma once
#include <memory>
#include <string>

#include "kernels/conv2d/conv2d.hpp"

namespace chiaro::conv2d {

// On the CPU: a plan whose passes are chosen one by one (pass_plan.hpp).
std::unique_ptr<Plan> make_cpu_plan(Context&, const Problem&, Threads);

// In base/dispatch.hpp's form:
// cuDNN on the context's GPU. Declines when no precompiled or run-time compiled engine fits the forward pass;
// a gradient that has none runs as implicit_gemm.
std::unique_ptr<Plan> make_cudnn_plan(Context&, const Problem&, std::string& refusal);
// Our own CUDA kernels, the last resort on GPUs; never declines.
std::unique_ptr<Plan> make_implicit_gemm_plan(Context&, const Problem&, std::string& refusal);

}  // namespace chiaro::conv2d
