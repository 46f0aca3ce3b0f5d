// One GPU as chiaro's CUDA implementations see it: a stream, library handles made on first use, and cuDNN's
// view of the device. Reached through Context::cuda().
//
// Two kinds: a device that is there, and one that is only described (Context::planning), for which plans can
// be made but nothing can run: has_device() is false and stream(), cudnn() and cublas() throw Error. Used by
// one thread at a time. The destructor waits for the stream.
#pragma once
#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <memory>
#include <string>

#include "kernels/cuda/cudnn_graph.hpp"
#include "kernels/cuda/plan_file.hpp"

namespace chiaro::cuda {

class DeviceContext {
 public:
  explicit DeviceContext(int device);
  explicit DeviceContext(const std::string& properties);
  ~DeviceContext();
  DeviceContext(const DeviceContext&) = delete;
  DeviceContext& operator=(const DeviceContext&) = delete;

  bool has_device() const { return device_ >= 0; }
  cudaStream_t stream() const;
  cudnnHandle_t cudnn();    // on stream()
  cublasHandle_t cublas();  // on stream(), with a workspace of its own: needed for graphs and for equal bits
  const cudnn::DeviceProperties& cudnn_properties() const { return *properties_; }

  // cuDNN's plan for a graph, or why there is none, be it an error of the library; `key` says what the graph
  // computes. Made once per key and shared by all ops of this context. The heuristics choose the engine, or
  // measurements where CHIARO_CUDNN_TUNE asks for them (plan_file.hpp).
  const cudnn::PlannedGraph& plan(const std::string& key, const std::function<cudnn::Graph()>& make_graph,
                                  cudnn::Math math);
  const cudnn::PlanCache& plans() const { return plans_; }

  // "NVIDIA H100 80GB HBM3, compute capability 9.0, 79.1 GiB, cuDNN 9.19.0"
  std::string description() const;

 private:
  std::string name() const;
  void require_device(const char* what) const;

  int device_ = -1;
  cudaStream_t stream_ = nullptr;
  cudnnHandle_t cudnn_ = nullptr;
  cublasHandle_t cublas_ = nullptr;
  void* cublas_workspace_ = nullptr;
  std::unique_ptr<cudnn::DeviceProperties> properties_;
  cudnn::PlanCache plans_;
  std::unique_ptr<cudnn::PlanFile> tuned_;
};

}  // namespace chiaro::cuda
