// cuDNN's backend API as far as chiaro needs it: tensors and operations of one graph, the engine that the
// heuristics propose for it, and a plan that can be executed.
//
// Plans are made from a device's properties, never from a handle: so the same code makes them for the GPU of
// this machine and, in tests, for one that is only described. A plan is chosen once and is then a pure
// function of its inputs: engines with results that vary from run to run are never taken. Every function
// throws Error with cuDNN's message on failure.
#pragma once
#include <cudnn.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace chiaro::cudnn {

// Owns descriptors that refer to each other: all live until the last can go.
class Descriptors {
 public:
  Descriptors() = default;
  Descriptors(Descriptors&& other) noexcept : owned_(std::exchange(other.owned_, {})) {}
  ~Descriptors();
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  Descriptors& operator=(Descriptors&&) = delete;

  cudnnBackendDescriptor_t make(cudnnBackendDescriptorType_t type);

 private:
  std::vector<cudnnBackendDescriptor_t> owned_;
};

// A GPU as the heuristics know it.
class DeviceProperties {
 public:
  explicit DeviceProperties(int device);               // one of this machine
  explicit DeviceProperties(const std::string& json);  // one that need not be there

  cudnnBackendDescriptor_t descriptor() const { return descriptor_; }

 private:
  Descriptors owner_;
  cudnnBackendDescriptor_t descriptor_;
};

using Extents = std::array<std::int64_t, 4>;  // N, C, H, W, in cuDNN's order whatever the layout

struct Convolution {
  std::array<std::int64_t, 2> pad_before{}, pad_after{};  // rows, columns
  std::int64_t stride = 1;
  float beta = 0.f;  // what the result is added to: beta * old result
};

// Operations on NHWC tensors, KRSC filters included. Sums and pointwise arithmetic run in fp32.
class Graph {
 public:
  using Tensor = cudnnBackendDescriptor_t;
  using Id = std::int64_t;

  // A tensor in memory, 16-byte aligned; `id` is how execute() is told where. Ids are positive.
  Tensor tensor(Id id, cudnnDataType_t type, Extents extents);
  // A tensor inside the graph only, fp32.
  Tensor intermediate(Extents extents);

  void convolution_forward(Tensor x, Tensor w, Tensor y, const Convolution& c);
  void convolution_backward_data(Tensor dx, Tensor w, Tensor dy, const Convolution& c);
  void convolution_backward_filter(Tensor x, Tensor dw, Tensor dy, const Convolution& c);
  void add(Tensor a, Tensor b, Tensor y);  // extents of 1 in b are repeated
  void relu(Tensor x, Tensor y);

  struct Memory {
    Id id;
    std::int64_t bytes;
  };
  const std::vector<Memory>& memory() const { return memory_; }  // of the tensors in memory

 private:
  friend class Plan;
  struct ConvolutionNames;
  Tensor make_tensor(Id id, cudnnDataType_t type, Extents extents, bool is_virtual);
  void convolution(const ConvolutionNames& names, Tensor x, Tensor w, Tensor y, const Convolution& c);
  void pointwise(cudnnPointwiseMode_t mode, Tensor x, Tensor b, Tensor y);
  void finish(cudnnBackendDescriptor_t operation, const char* what);

  Descriptors owner_;
  std::vector<cudnnBackendDescriptor_t> operations_;
  std::vector<Memory> memory_;
  Id next_intermediate_ = 1000;
};

enum class Math {
  Strict,  // fp32 throughout: neither matrix units nor narrower operands
  Matrix,  // matrix units on the tensors' own type; for fp32 tensors that means TF32
};

struct Engine {
  std::int64_t index = -1;
  bool matrix_units = false, compiled_at_run_time = false;
  bool from_fallback = false;  // not proposed by the main heuristic: expect it to be slow
};

class Plan {
 public:
  // The first engine of the heuristics' proposals that gives the same bits every time, does plain sums (no
  // FFT, no Winograd, no narrower accumulators) and fits `math`. Precompiled engines go first: the others
  // cost a second of compilation each. nullptr with a reason when there is none. `skip`: not the first that
  // fits but one after it.
  static std::unique_ptr<Plan> choose(const DeviceProperties& device, Graph graph, Math math,
                                      std::string& refusal, int skip = 0);
  // A plan that to_json() gave for an equal graph on this device, without heuristics.
  static std::unique_ptr<Plan> from_json(const DeviceProperties& device, Graph graph,
                                         const std::string& json);
  std::string to_json() const;

  explicit Plan(Graph graph) : graph_(std::move(graph)) {}  // use choose()

  const Engine& engine() const { return engine_; }  // of a plan from JSON unknown
  std::int64_t workspace_bytes() const { return workspace_bytes_; }

  // Queues the graph in the handle's stream. workspace: 16-byte aligned, of workspace_bytes().
  void execute(cudnnHandle_t handle, std::span<const std::pair<Graph::Id, const void*>> tensors,
               void* workspace) const;

 private:
  void read_workspace_bytes();

  Graph graph_;  // the plan refers to it
  Descriptors owner_;
  cudnnBackendDescriptor_t plan_ = nullptr;
  Engine engine_;
  std::int64_t workspace_bytes_ = 0;
};

// Plans by a text that says what they compute. Refusals are remembered as well.
struct PlannedGraph {
  std::unique_ptr<Plan> plan;
  std::string refusal;  // why there is no plan
};
using PlanCache = std::map<std::string, PlannedGraph>;

}  // namespace chiaro::cudnn
