#include "engine/cuda_graph.hpp"

#include "kernels/base/settings.hpp"

namespace chiaro {

namespace {

constexpr int kCallsBeforeRecording = 2;

bool records(const Context& context) {
  // Who waits for every kernel (base/cuda_portable.hpp) cannot record them.
  return context.device() == Device::Cuda && settings().cuda_graph && !settings().synchronous;
}

}  // namespace

CudaGraph::CudaGraph(Context& context, std::function<void()> work)
    : context_(context),
      work_(std::move(work)),
      calls_until_recorded_(records(context) ? kCallsBeforeRecording : -1) {}

void CudaGraph::run() {
  if (calls_until_recorded_ == 0 && !recorded_) recorded_.emplace(CudaGraphExec::record(context_, work_));
  if (recorded_) return recorded_->replay(context_);
  if (calls_until_recorded_ > 0) --calls_until_recorded_;
  work_();
}

}  // namespace chiaro
