// Where kernel_bench runs its cases: memory of the context's device, filled with random values, and a clock.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/buffer.hpp"
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::bench {

class Workbench {
 public:
  explicit Workbench(Context& context);

  Context& context() { return context_; }

  // Memory until clear(). Tensors and floats hold random values in [-1, 1), the same every time; blocks are
  // not filled.
  TensorView tensor(const Shape& shape, DType dtype);
  float* floats(std::int64_t count);
  void* block(std::int64_t bytes);
  void clear() { buffers_.clear(); }

  // Median seconds of run(), warmed up. On a GPU the time that it spends there: several calls are queued
  // behind a longer piece of work, so that the host is never waited for, with an event between any two. Their
  // data may then still lie in the GPU's caches, as far as these reach. On the CPU the time on the clock.
  double median_seconds(const std::function<void()>& run);

 private:
  double median_seconds_cpu(const std::function<void()>& run);
  double median_seconds_cuda(const std::function<void()>& run);

  Context& context_;
  std::vector<Buffer> buffers_;
  std::vector<float> random_;
  Buffer blocker_;  // CUDA: what the longer piece of work fills
};

// Bytes read and written per second by copying a large block: the yardstick of kernels that only move data.
double copy_bytes_per_second(Workbench& bench);

// Operations per second of a large matrix product with operands of this type: the yardstick of kernels that
// multiply. fp32 may round to TF32 where the context allows it.
double matrix_flop_per_second(Workbench& bench, DType dtype);

}  // namespace chiaro::bench
