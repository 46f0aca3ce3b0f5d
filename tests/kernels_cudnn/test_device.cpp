// Finding the GPU, and what is said where there is none.
#include <doctest/doctest.h>

#include "apps/common/program.hpp"
#include "engine/buffer.hpp"
#include "kernels/cuda/cublas_library.hpp"
#include "kernels/cuda/cudnn_graph.hpp"
#include "kernels/cuda/cudnn_library.hpp"
#include "kernels/cuda/device.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/run_program.hpp"

using namespace chiaro;
using chiaro::test::contains;
using chiaro::test::error_of;

namespace {

constexpr const char* kInspect = CHIARO_BIN_DIR "/inspect_engine";

cuda::DriverFacts usable() {
  return {.driver_version = 13000,
          .runtime_version = 13000,
          .device_count = 1,
          .name = "NVIDIA H100",
          .compute_capability = 90};
}

}  // namespace

TEST_CASE("cuda device: a refusal says what is missing") {
  CHECK(cuda::refusal_of(usable()) == "");
  CHECK(cuda::refusal_of({.runtime_version = 13000}) ==
        "no NVIDIA driver is installed (libcuda.so.1 was not found)");
  auto facts = usable();
  facts.driver_version = 12020;
  CHECK(cuda::refusal_of(facts) == "the NVIDIA driver supports CUDA 12.2, this build needs 13.0 or newer");
  facts.driver_version = 13020;
  facts.runtime_version = 13030;  // any driver of the major version will do
  CHECK(cuda::refusal_of(facts) == "");
  facts.error = "system not yet initialized";
  CHECK(cuda::refusal_of(facts) == "the NVIDIA driver reports: system not yet initialized");
  facts = usable();
  facts.device_count = 0;
  CHECK(cuda::refusal_of(facts) == "no NVIDIA GPU is visible (see nvidia-smi and CUDA_VISIBLE_DEVICES)");
  facts = usable();
  facts.name = "Tesla V100";
  facts.compute_capability = 70;
  CHECK(cuda::refusal_of(facts) == "Tesla V100 has compute capability 7.0, 8.0 (Ampere) or newer is needed");
}

TEST_CASE("cuda device: the CPU is always there, and the GPU's absence has a reason") {
  CHECK(device_available(Device::Cpu).available);
  const DeviceStatus cuda = device_available(Device::Cuda);
  CHECK(cuda.available == cuda.reason.empty());
  if (!cuda.available) CHECK(error_of([] { Context(Device::Cuda, 1); }) == "device cuda: " + cuda.reason);
}

TEST_CASE("cuda device: the libraries have every function that is called") {
  const std::string missing = error_of([] { cublas::library(); });
  CHECK_MESSAGE((missing.empty() || missing.starts_with("cuBLAS cannot be opened: ")), missing);
  CHECK(error_of([] { cudnn::library(); }) == "");
}

TEST_CASE("cuda device: cuDNN is asked about a GPU by its number") {
  if (device_available(Device::Cuda).available) return;
  CHECK(contains(error_of([] { cudnn::DeviceProperties(0); }), "cuDNN: cannot read the GPU's properties"));
}

TEST_CASE("memory: without a GPU the kinds that need one are refused by name, the host's works") {
  const Buffer host(100, "a test");
  CHECK(host.kind() == MemoryKind::Host);
  if (device_available(Device::Cuda).available) return;
  for (const MemoryKind kind : {MemoryKind::Device, MemoryKind::Pinned})
    CHECK(error_of([&] { Buffer(100, "the arena", kind); }) ==
          "no device memory for the arena: " + device_available(Device::Cuda).reason);
}

TEST_CASE("memory: copies on the CPU are done when they return") {
  Context context(1);
  const Buffer a(64, "a"), b(64, "b");
  fill_async(context, a.data(), 7, 64);
  copy_async(context, b.data(), a.data(), 64);
  CHECK(b.data()[63] == std::byte{7});
  synchronize(context);
}

TEST_CASE("programs: --device cuda without a usable device is one line that says why, auto takes the CPU") {
  const std::string reason = device_available(Device::Cuda).reason;
  if (reason.empty()) return;
  const auto refused = test::run_program(kInspect, {"plan", "--size", "64x64", "--device", "cuda"});
  CHECK(refused.status == 1);
  CHECK(refused.err == "inspect_engine: --device cuda: " + reason + "; use --device cpu\n");
  const auto fell_back = test::run_program(kInspect, {"plan", "--size", "64x64"});
  CHECK(fell_back.status == 0);
  CommonOptions options;
  CHECK(contains(make_context(options).description(), "; no CUDA: " + reason));
  options.device = "cpu";
  CHECK(!contains(make_context(options).description(), "CUDA"));
}
