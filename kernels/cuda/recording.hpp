// The CUDA half of base/cuda_graph_exec.hpp. Free of CUDA headers.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/base/context.hpp"

namespace chiaro::cuda {

class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay(Context& context) = 0;
  virtual std::int64_t operations() const = 0;  // kernels, copies and fills
};

std::unique_ptr<Recording> record(Context& context, const std::function<void()>& work);

}  // namespace chiaro::cuda
