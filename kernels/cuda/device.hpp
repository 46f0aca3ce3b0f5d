// Finding and opening the GPU. Free of CUDA headers, for the device-independent context.
#pragma once
#include <memory>
#include <string>

#include "kernels/base/context.hpp"
#include "kernels/base/cuda_stream.hpp"

namespace chiaro::cuda {

// What the driver says about the first visible GPU.
struct DriverFacts {
  int driver_version = 0;   // 1000 * major + 10 * minor; 0 = no driver
  int runtime_version = 0;  // of this build, likewise
  std::string error;        // of asking for the devices; "" = none
  int device_count = 0;
  std::string name;            // of the first device
  int compute_capability = 0;  // 10 * major + minor
};

// Why these facts rule out the GPU: "" = they do not. Pure.
std::string refusal_of(const DriverFacts& facts);

// Why no GPU can be used in this process, libraries included: "" = one can. Asked once; never throws.
const std::string& refusal_of_device();

// The first visible GPU. Call it when refusal_of_device() is empty. Throws Error when the GPU cannot be
// opened.
std::shared_ptr<DeviceContext> open_device();

// A GPU known by its properties only, as JSON: plans can be made for it, nothing can run. Needs cuDNN's
// library, but no driver. Throws Error when cuDNN does not take the text.
std::shared_ptr<DeviceContext> describe_device(const std::string& properties);

std::string description(DeviceContext& device);

// Where the context's kernels go. Throws Error where it has no GPU that is there.
CudaStream stream_of(const Context& context);

}  // namespace chiaro::cuda
