// One pass of a convolution on the CPU. Every pass has its own list of implementations (cpu_plan.cpp), so a
// network that only runs forward never asks for gradients, and a gradient that a library lacks costs the
// other passes nothing.
//
// Errors: none; what cannot be done was refused by the factories below.
#pragma once
#include <memory>
#include <string>

#include "kernels/conv2d/conv2d.hpp"

namespace chiaro::conv2d {

struct PassProblem {
  Problem problem;
  Pass pass = Pass::Forward;
  Threads threads = Threads::All;
};
std::string to_string(const PassProblem&);

// Of one run. Null where the pass has no such array; x, y, dx and so on as in conv2d.hpp.
struct PassArgs {
  const void* x = nullptr;
  const void* dy = nullptr;
  const void* packed = nullptr;
  const float* bias = nullptr;
  void* y = nullptr;  // added to when the problem accumulates
  void* dx = nullptr;
  float* dw = nullptr;
  float* db = nullptr;
  bool accumulate = false;  // into dx, or dw and db
  void* workspace = nullptr;
};

class PassPlan {
 public:
  virtual ~PassPlan() = default;
  virtual std::string name() const = 0;     // of the implementation
  virtual std::string details() const = 0;  // kernels in use, for logs
  // Working weights; equal keys beside equal weight shapes mean interchangeable ones. Not for weight
  // gradients.
  virtual std::string packed_key() const { return ""; }
  virtual int64_t packed_bytes() const { return 0; }
  virtual void pack(const float*, void*) {}
  virtual int64_t workspace_bytes() const = 0;
  virtual void run(const PassArgs&) = 0;
};

// The first implementation of the pass's list. Throws Error when one is forced by CHIARO_IMPL that declines.
std::unique_ptr<PassPlan> make_pass(Context&, const PassProblem&);
// The same for a convolution inside another implementation: never forced (but one may be excluded), never one that asks again.
std::unique_ptr<PassPlan> make_inner_pass(Context&, const PassProblem&);

// The entries of the lists, in base/dispatch.hpp's form. Each does one thing:
// Few channels on one side: columns of the filter as channels of an R x 1 convolution.
std::unique_ptr<PassPlan> make_column_pass(Context&, const PassProblem&, std::string& refusal);
// A data gradient as the forward pass of dy with flipped filters.
std::unique_ptr<PassPlan> make_flipped_pass(Context&, const PassProblem&, std::string& refusal);
// 3x3 filters in fp32 by a quarter of the multiplications.
std::unique_ptr<PassPlan> make_winograd_pass(Context&, const PassProblem&, std::string& refusal);
// oneDNN's convolution. Declines what oneDNN could only do with its own plain loops.
std::unique_ptr<PassPlan> make_onednn_pass(Context&, const PassProblem&, std::string& refusal);
// bf16 by an fp32 pass between conversions, where oneDNN has no bf16.
std::unique_ptr<PassPlan> make_widened_pass(Context&, const PassProblem&, std::string& refusal);
// Our own vector loops in fp32, any shape, any instruction set.
std::unique_ptr<PassPlan> make_direct_pass(Context&, const PassProblem&, std::string& refusal);
// Plain loops; never declines.
std::unique_ptr<PassPlan> make_reference_pass(Context&, const PassProblem&, std::string& refusal);

// The convolution of dy with flipped filters that gives dx; stride 1, padding below the filter's extent.
// Biases, ReLU and accumulation are off.
Problem flipped_problem(const Problem&);

// Bytes of an array in a workspace, rounded up so that the next one is aligned.
constexpr int64_t workspace_part(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace chiaro::conv2d
