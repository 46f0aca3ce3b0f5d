#include "kernels/cuda/recording.hpp"

#include "kernels/cuda/check.hpp"
#include "kernels/cuda/device_context.hpp"

namespace chiaro::cuda {

namespace {

struct DestroyGraph {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
struct DestroyExecutable {
  void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
};
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DestroyGraph>;
using Executable = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, DestroyExecutable>;

class GraphRecording final : public Recording {
 public:
  explicit GraphRecording(const Graph& graph) {
    std::size_t nodes = 0;
    check(cudaGraphGetNodes(graph.get(), nullptr, &nodes), "count the recorded operations");
    operations_ = static_cast<std::int64_t>(nodes);
    cudaGraphExec_t executable = nullptr;
    check(cudaGraphInstantiate(&executable, graph.get(), 0), "prepare the recorded work");
    executable_.reset(executable);
  }

  void replay(Context& context) override {
    check(cudaGraphLaunch(executable_.get(), context.cuda().stream()), "replay the recorded work");
  }
  std::int64_t operations() const override { return operations_; }

 private:
  Executable executable_;
  std::int64_t operations_ = 0;
};

Graph end_capture(cudaStream_t stream) {
  cudaGraph_t graph = nullptr;
  const cudaError_t status = cudaStreamEndCapture(stream, &graph);
  Graph owned(graph);
  check(status, "record work: something in it cannot be recorded");
  return owned;
}

}  // namespace

std::unique_ptr<Recording> record(Context& context, const std::function<void()>& work) {
  cudaStream_t stream = context.cuda().stream();
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "begin to record work");
  try {
    work();
  } catch (...) {
    cudaGraph_t broken = nullptr;
    cudaStreamEndCapture(stream, &broken);
    if (broken) cudaGraphDestroy(broken);
    cudaGetLastError();
    throw;
  }
  return std::make_unique<GraphRecording>(end_capture(stream));
}

}  // namespace chiaro::cuda
