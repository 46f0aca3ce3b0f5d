#include "kernels/cuda/plan_tuning.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/base/context.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/memory.hpp"
#include "kernels/base/say.hpp"
#include "kernels/cuda/check.hpp"
#include "kernels/cuda/device_context.hpp"

namespace chiaro::cuda {

namespace {

constexpr int kCandidates = 8, kBatches = 5, kRunsPerBatch = 10;

using Scratch = std::unique_ptr<std::byte, ReleaseMemory>;

Scratch zeros(DeviceContext& device, std::int64_t bytes) {
  Scratch memory(chiaro::allocate(MemoryKind::Device, bytes, "measuring convolutions"), {MemoryKind::Device});
  check(cudaMemsetAsync(memory.get(), 0, static_cast<std::size_t>(bytes), device.stream()), "clear memory");
  return memory;
}

class Event {
 public:
  Event() { check(cudaEventCreate(&event_), "create an event"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

// Milliseconds of one run: the best of some batches, so that disturbances count least.
float time_ms(DeviceContext& device, const cudnn::Plan& plan,
              std::span<const std::pair<cudnn::Graph::Id, const void*>> tensors) {
  const Scratch workspace = zeros(device, plan.workspace_bytes());
  const Event start, stop;
  float best = std::numeric_limits<float>::max();
  for (int batch = -1; batch < kBatches; ++batch) {  // the first warms up
    check(cudaEventRecord(start.get(), device.stream()), "start a measurement");
    for (int run = 0; run < kRunsPerBatch; ++run) plan.execute(device.cudnn(), tensors, workspace.get());
    check(cudaEventRecord(stop.get(), device.stream()), "end a measurement");
    check(cudaEventSynchronize(stop.get()), "wait for a measurement");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, start.get(), stop.get()), "read a measurement");
    if (batch >= 0) best = std::min(best, ms / kRunsPerBatch);
  }
  return best;
}

std::unique_ptr<cudnn::Plan> fastest_plan(DeviceContext& device, const std::string& key,
                                          const std::function<cudnn::Graph()>& make_graph, cudnn::Math math,
                                          std::string& refusal) {
  std::vector<Scratch> memory;
  std::vector<std::pair<cudnn::Graph::Id, const void*>> tensors;
  const cudnn::Graph graph = make_graph();
  for (const auto& [id, bytes] : graph.memory()) {
    memory.push_back(zeros(device, bytes));
    tensors.emplace_back(id, memory.back().get());
  }
  std::unique_ptr<cudnn::Plan> best;
  float best_ms = std::numeric_limits<float>::max();
  for (int skip = 0; skip < kCandidates; ++skip) {
    auto plan = cudnn::Plan::choose(device.cudnn_properties(), make_graph(), math, refusal, skip);
    if (!plan) break;
    try {
      const float ms = time_ms(device, *plan, tensors);
      if (log_enabled("tune"))
        say(stderr, "tune: {}: engine {}, {:.1f} us\n", key, plan->engine().index, 1e3 * ms);
      if (ms >= best_ms) continue;
      best_ms = ms;
      best = std::move(plan);
    } catch (const Error& error) {
      refusal = error.what();
    }
  }
  return best;
}

}  // namespace

std::unique_ptr<cudnn::Plan> tuned_plan(DeviceContext& device, cudnn::PlanFile& file, const std::string& key,
                                        const std::function<cudnn::Graph()>& make_graph, cudnn::Math math,
                                        std::string& refusal) {
  if (const std::string json = file.find(key); !json.empty()) {
    try {
      return cudnn::Plan::from_json(device.cudnn_properties(), make_graph(), json);
    } catch (const Error&) {
      // Written by a library that this one does not understand: measured again below.
    }
  }
  auto plan = fastest_plan(device, key, make_graph, math, refusal);
  if (plan) file.put(key, plan->to_json());
  return plan;
}

}  // namespace chiaro::cuda
