#include "kernels/cuda/device.hpp"

#include <exception>

#include "kernels/base/error.hpp"
#include "kernels/cuda/cublas_library.hpp"
#include "kernels/cuda/cudnn_library.hpp"
#include "kernels/cuda/device_context.hpp"

namespace chiaro::cuda {

namespace {

constexpr int kOldestCapability = 80;  // Ampere: bf16 and TF32 matrix units

std::string text_of(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

// The runtime leaves its arguments unchanged where it fails, so failures stay at 0.
DriverFacts ask_driver() {
  DriverFacts facts;
  if (cudaDriverGetVersion(&facts.driver_version) != cudaSuccess) facts.driver_version = 0;
  if (cudaRuntimeGetVersion(&facts.runtime_version) != cudaSuccess) facts.runtime_version = CUDART_VERSION;
  if (facts.driver_version == 0) return facts;
  const cudaError_t status = cudaGetDeviceCount(&facts.device_count);
  if (status != cudaSuccess && status != cudaErrorNoDevice) facts.error = cudaGetErrorString(status);
  if (status != cudaSuccess || facts.device_count == 0) return facts;
  cudaDeviceProp p{};
  if (const auto failure = cudaGetDeviceProperties(&p, 0); failure != cudaSuccess) {
    facts.error = cudaGetErrorString(failure);
    return facts;
  }
  facts.name = p.name;
  facts.compute_capability = 10 * p.major + p.minor;
  return facts;
}

std::string find_refusal() {
  try {
    if (auto refusal = refusal_of(ask_driver()); !refusal.empty()) return refusal;
    cudnn::library();
    cublas::library();
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

std::string refusal_of(const DriverFacts& f) {
  if (f.driver_version == 0) return "no NVIDIA driver is installed (libcuda.so.1 was not found)";
  // Within a major version any driver runs any program.
  if (f.driver_version / 1000 < f.runtime_version / 1000)
    return fmt::format("the NVIDIA driver supports CUDA {}, this build needs {} or newer",
                       text_of(f.driver_version), text_of(f.runtime_version / 1000 * 1000));
  if (!f.error.empty()) return fmt::format("the NVIDIA driver reports: {}", f.error);
  if (f.device_count == 0) return "no NVIDIA GPU is visible (see nvidia-smi and CUDA_VISIBLE_DEVICES)";
  if (f.compute_capability < kOldestCapability)
    return fmt::format("{} has compute capability {}.{}, {}.{} (Ampere) or newer is needed", f.name,
                       f.compute_capability / 10, f.compute_capability % 10, kOldestCapability / 10,
                       kOldestCapability % 10);
  return "";
}

const std::string& refusal_of_device() {
  static const std::string refusal = find_refusal();
  return refusal;
}

std::shared_ptr<DeviceContext> open_device() {
  return std::make_shared<DeviceContext>(0);
}

std::shared_ptr<DeviceContext> describe_device(const std::string& properties) {
  return std::make_shared<DeviceContext>(properties);
}

std::string description(DeviceContext& device) {
  return device.description();
}

CudaStream stream_of(const Context& context) {
  return context.cuda().stream();
}

}  // namespace chiaro::cuda
