#include "kernels/cuda/device_context.hpp"

#include "kernels/base/error.hpp"
#include "kernels/base/settings.hpp"
#include "kernels/cuda/check.hpp"
#include "kernels/cuda/cublas_library.hpp"
#include "kernels/cuda/cudnn_library.hpp"
#include "kernels/cuda/plan_tuning.hpp"

namespace chiaro::cuda {

namespace {

constexpr std::size_t kCublasWorkspaceBytes = 32 << 20;  // what NVIDIA recommends for Hopper

}  // namespace

DeviceContext::DeviceContext(int device) : device_(device) {
  check(cudaSetDevice(device), "use the GPU");
  // No implicit waiting for the default stream, which nothing here uses.
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "create a stream");
  properties_ = std::make_unique<cudnn::DeviceProperties>(device);
  if (const std::string& folder = settings().cudnn_tune; !folder.empty())
    tuned_ = std::make_unique<cudnn::PlanFile>(folder, name());
}

DeviceContext::DeviceContext(const std::string& properties)
    : properties_(std::make_unique<cudnn::DeviceProperties>(properties)) {}

// Failures are ignored: there is nobody left to tell, and at the end of the process the driver may be gone.
DeviceContext::~DeviceContext() {
  if (!has_device()) return;
  cudaStreamSynchronize(stream_);
  if (cudnn_) cudnn::library().destroy(cudnn_);
  if (cublas_) cublas::library().destroy(cublas_);
  cudaFree(cublas_workspace_);
  cudaStreamDestroy(stream_);
}

void DeviceContext::require_device(const char* what) const {
  require(has_device(), "{} was asked of a GPU that is only described: it can plan, not compute", what);
}

cudaStream_t DeviceContext::stream() const {
  require_device("a stream");
  return stream_;
}

cudnnHandle_t DeviceContext::cudnn() {
  require_device("cuDNN");
  if (!cudnn_) {
    const auto& library = cudnn::library();
    cudnn::check(library.create(&cudnn_), "start on this GPU");
    cudnn::check(library.set_stream(cudnn_, stream_), "take the stream");
  }
  return cudnn_;
}

cublasHandle_t DeviceContext::cublas() {
  require_device("cuBLAS");
  if (!cublas_) {
    const auto& library = cublas::library();
    cublas::check(library.create(&cublas_), "start on this GPU");
    cublas::check(library.set_stream(cublas_, stream_), "take the stream");
    cublas::check(library.set_math_mode(cublas_, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION),
                  "add in fp32 only");
    check(cudaMalloc(&cublas_workspace_, kCublasWorkspaceBytes), "allocate cuBLAS's workspace");
    cublas::check(library.set_workspace(cublas_, cublas_workspace_, kCublasWorkspaceBytes),
                  "take its workspace");
  }
  return cublas_;
}

const cudnn::PlannedGraph& DeviceContext::plan(const std::string& key,
                                               const std::function<cudnn::Graph()>& make_graph,
                                               cudnn::Math math) {
  if (const auto found = plans_.find(key); found != plans_.end()) return found->second;
  cudnn::PlannedGraph planned;
  try {
    if (tuned_)
      planned.plan = tuned_plan(*this, *tuned_, key, make_graph, math, planned.refusal);
    else
      planned.plan = cudnn::Plan::choose(*properties_, make_graph(), math, planned.refusal);
  } catch (const cudnn::LibraryError& error) {
    planned.refusal = error.what();
  }
  return plans_.emplace(key, std::move(planned)).first->second;
}

std::string DeviceContext::name() const {
  cudaDeviceProp p{};
  check(cudaGetDeviceProperties(&p, device_), "read the GPU's properties");
  return p.name;
}

std::string DeviceContext::description() const {
  if (!has_device()) return fmt::format("a GPU that is only described, cuDNN {}", cudnn::version_text());
  cudaDeviceProp p{};
  check(cudaGetDeviceProperties(&p, device_), "read the GPU's properties");
  return fmt::format("{}, compute capability {}.{}, {:.1f} GiB, cuDNN {}", p.name, p.major, p.minor,
                     static_cast<double>(p.totalGlobalMem) / (1 << 30), cudnn::version_text());
}

}  // namespace chiaro::cuda
