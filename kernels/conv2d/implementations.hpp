// The implementations behind conv2d::Plan::make, in common/dispatch.hpp's form.
#pragma once
#include <memory>
#include <string>

#include "kernels/conv2d/conv2d.hpp"

namespace chiaro::conv2d {

// Plain loops; never declines.
std::unique_ptr<Plan> make_reference_plan(Context&, const Problem&, std::string& refusal);
// oneDNN's convolution. Declines what oneDNN could only do with its own plain loops.
std::unique_ptr<Plan> make_onednn_plan(Context&, const Problem&, std::string& refusal);
// oneDNN on gathered filter columns, for wide filters with few channels on one side.
std::unique_ptr<Plan> make_onednn_columns_plan(Context&, const Problem&, std::string& refusal);

// cuDNN on the context's GPU. Declines when no precompiled or run-time compiled engine fits the forward pass;
// a gradient that has none runs as implicit_gemm.
std::unique_ptr<Plan> make_cudnn_plan(Context&, const Problem&, std::string& refusal);
// Our own CUDA kernels, the last resort on GPUs; never declines.
std::unique_ptr<Plan> make_implicit_gemm_plan(Context&, const Problem&, std::string& refusal);

}  // namespace chiaro::conv2d
