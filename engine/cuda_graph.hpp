// Work that is done again and again: called on the CPU; on a GPU replayed as one CUDA graph.
//
// The first two runs on a GPU call the work: libraries start, plans are made, frozen weights are packed. The
// third records it, and from then on it is replayed, which costs the host one call.
//
// Same each time: the work must not allocate, wait or look at results; what changes from run to run, it reads
// from pinned or device memory. What it leaves for the host is there after synchronize().
// No host state: the work must not depend on what the host knows when it is recorded, such as which copies of
// the weights are up to date: at a replay that may be otherwise. ParamStore sees to that for parameters;
// base/cuda_graph_exec.hpp says what others who keep such knowledge have to do.
// Off: CHIARO_CUDA_GRAPH=0 and CHIARO_SYNC=1.
// Deterministic: recorded or not, the same values come out, bit for bit, whatever ran before or in between.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>

#include "kernels/base/context.hpp"
#include "kernels/base/cuda_graph_exec.hpp"

namespace chiaro {

class CudaGraph {
 public:
  CudaGraph(Context& context, std::function<void()> work);

  // Returns before the work has run on a GPU. Errors: those of the work; of CUDA when it cannot be recorded.
  void run();
  // Kernels, copies and fills of one run; 0 before it was recorded.
  std::int64_t operations() const { return recorded_ ? recorded_->operations() : 0; }

 private:
  Context& context_;
  std::function<void()> work_;
  int calls_until_recorded_;  // negative: never
  std::optional<CudaGraphExec> recorded_;
};

}  // namespace chiaro
