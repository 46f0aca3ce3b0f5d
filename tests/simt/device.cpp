// The emulated device: what kernels/base/cuda declares for the rest of chiaro, without CUDA. A context of
// Device::Cuda runs our kernels in the emulator and our own convolutions; cuDNN and cuBLAS refuse.
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "kernels/base/memory.hpp"
#include "kernels/conv2d/implementations.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/memory.hpp"
#include "kernels/cuda/recording.hpp"
#include "kernels/gemm/gemm.hpp"
#include "tests/simt/device_memory.hpp"
#include "tests/simt/runtime.hpp"
#include "tests/simt/stream.hpp"

namespace chiaro::cuda {

class DeviceContext {
 public:
  DeviceContext();
  ~DeviceContext();
  DeviceContext(const DeviceContext&) = delete;
  DeviceContext& operator=(const DeviceContext&) = delete;

  CUstream_st stream;
};

namespace {

// All streams, and page-locked memory by address.
struct State {
  std::mutex mutex;
  std::set<CUstream_st*> streams;
  std::map<const std::byte*, std::int64_t> pinned;
};
State& state() {
  static State instance;
  return instance;
}

bool is_pinned(const void* pointer) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  const auto* address = static_cast<const std::byte*>(pointer);
  auto next = s.pinned.upper_bound(address);
  if (next == s.pinned.begin()) return false;
  --next;
  return address < next->first + next->second;
}

// The thread that records; CUDA's thread-local capture mode forbids it what would wait for the device.
thread_local bool recording_here = false;

void forbid_while_recording(const char* what) {
  require(!recording_here, "CUDA: cannot {}: operation not permitted while work is recorded", what);
}

// Copies and fills that touch memory of the program wait, as they do with CUDA.
void submit(CUstream_st& stream, simt::Work work, bool waits) {
  stream.submit(std::move(work));
  if (waits && !stream.recording()) stream.finish();
}

class EmulatedRecording final : public Recording {
 public:
  explicit EmulatedRecording(std::vector<simt::Work> work) : work_(std::move(work)) {}
  void replay(Context& context) override { context.cuda().stream.submit(work_); }
  std::int64_t operations() const override { return static_cast<std::int64_t>(work_.size()); }

 private:
  std::vector<simt::Work> work_;
};

}  // namespace

DeviceContext::DeviceContext() {
  simt::explain_device_faults();
  const std::lock_guard lock(state().mutex);
  state().streams.insert(&stream);
}

DeviceContext::~DeviceContext() {
  stream.finish_quietly();
  const std::lock_guard lock(state().mutex);
  state().streams.erase(&stream);
}

const std::string& refusal_of_device() {
  static const std::string none;
  return none;
}

std::shared_ptr<DeviceContext> open_device() {
  return std::make_shared<DeviceContext>();
}

std::shared_ptr<DeviceContext> describe_device(const std::string&) {
  throw Error("the emulated device makes no plans for GPUs that are described: it has no cuDNN");
}

std::string description(DeviceContext&) {
  return "emulated GPU";
}

CudaStream stream_of(const Context& context) {
  return &context.cuda().stream;
}

std::byte* allocate(bool on_device, std::int64_t bytes) {
  forbid_while_recording("allocate memory");
  if (on_device) return simt::allocate_device_memory(bytes);
  std::byte* memory = chiaro::allocate(MemoryKind::Host, bytes, "page-locked memory");
  const std::lock_guard lock(state().mutex);
  state().pinned[memory] = bytes;
  return memory;
}

// Waits for the device, as CUDA does.
void release(bool on_device, std::byte* memory) noexcept {
  {
    const std::lock_guard lock(state().mutex);
    for (CUstream_st* stream : state().streams) stream->finish_quietly();
    if (!on_device) state().pinned.erase(memory);
  }
  if (on_device)
    simt::release_device_memory(memory);
  else
    chiaro::release(MemoryKind::Host, memory);
}

void copy_async(Context& context, void* to, const void* from, std::int64_t bytes) {
  const auto stays = [](const void* p) { return simt::is_device_memory(p) || is_pinned(p); };
  submit(context.cuda().stream, {"copy", [=] { std::memmove(to, from, static_cast<std::size_t>(bytes)); }},
         !stays(to) || !stays(from));
}

void fill_async(Context& context, void* to, int byte_value, std::int64_t bytes) {
  submit(context.cuda().stream,
         {"fill", [=] { std::memset(to, byte_value, static_cast<std::size_t>(bytes)); }}, false);
}

std::int64_t free_memory(const Context&) {
  return (std::int64_t{8} << 30) - simt::device_memory_in_use();
}

void synchronize(Context& context) {
  forbid_while_recording("finish the queued work");
  try {
    context.cuda().stream.finish();
  } catch (const simt::Error& error) {
    throw Error("CUDA: cannot finish the queued work: {}", error.what());
  }
}

std::unique_ptr<Recording> record(Context& context, const std::function<void()>& work) {
  CUstream_st& stream = context.cuda().stream;
  require(!stream.recording(), "CUDA: cannot begin to record work: the stream is recorded already");
  stream.begin_recording();
  recording_here = true;
  const auto end = [&] {
    recording_here = false;
    return stream.end_recording();
  };
  try {
    work();
  } catch (...) {
    end();
    throw;
  }
  return std::make_unique<EmulatedRecording>(end());
}

}  // namespace chiaro::cuda

namespace chiaro {

std::unique_ptr<conv2d::Plan> conv2d::make_cudnn_plan(Context&, const Problem&, std::string& refusal) {
  refusal = "cuDNN does not run in the emulator";
  return nullptr;
}

std::string gemm::cublas::supports(const Args&) {
  return "cuBLAS does not run in the emulator";
}
void gemm::cublas::run(Context&, const Args& args) {
  throw Error(supports(args));
}

}  // namespace chiaro
