// What a node of the graph must be able to do.
//
// A layer is set up once for given input shapes: it checks them and declares its output, what it keeps for
// the backward pass and how much workspace it needs. From these declarations alone the session places
// everything in one arena, so a layer must not touch anything it has not declared: what forward() leaves in
// inputs, output and saved tensors is gone in backward() unless backward_reads names it.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/param_store.hpp"
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro {

struct TensorSpec {
  Shape shape;
  DType dtype = DType::F32;

  std::int64_t bytes() const { return shape.count() * size_of(dtype); }
};

// A number of bytes, or a function that finds it when the backward pass is planned: what a layer needs for
// that pass alone is then not made for networks that only run forward. input_gradient: of the input that the
// layer gives a gradient of its own computing is wanted.
class BackwardBytes {
 public:
  using Find = std::function<std::int64_t(bool input_gradient)>;
  BackwardBytes(std::int64_t bytes = 0) : find_([bytes](bool) { return bytes; }) {}
  BackwardBytes(Find find) : find_(std::move(find)) {}
  std::int64_t get(bool input_gradient) const { return find_(input_gradient); }

 private:
  Find find_;
};

struct LayerSpec {
  TensorSpec output;
  std::vector<std::int64_t> saved_bytes;   // kept from forward to backward
  std::vector<int> backward_reads_inputs;  // indices of inputs that backward reads
  bool backward_reads_output = false;
  // The input, or -1, whose gradient is what backward() leaves in output_gradient. Where no other node has
  // written it before, the session may give both one memory: passes_gradient() says whether it has.
  int passes_gradient_to = -1;
  std::int64_t forward_workspace_bytes = 0;
  BackwardBytes backward_workspace_bytes;
};

// Bound pointers of one call. In forward() the gradient members are empty.
struct NodeIo {
  std::span<const ConstTensorView> inputs;
  TensorView output;
  std::span<void* const> saved;
  void* workspace = nullptr;

  TensorView output_gradient;  // backward may overwrite it: nobody reads it afterwards, unless passed on
  std::span<const TensorView> input_gradients;  // data is null where the mode is Ignore
  std::span<const GradientMode> input_modes;
  GradientMode param_mode = GradientMode::Ignore;  // one for all parameters of the layer
  bool value_wanted = false;  // of a loss whose value_comes_with_gradient(): write output, too

  // True if the gradient of LayerSpec::passes_gradient_to is output_gradient itself: nothing is to be
  // written.
  bool passes_gradient(int input) const { return input_gradients[input].data == output_gradient.data; }
};

class Layer {
 public:
  virtual ~Layer() = default;

  // Validates the inputs and declares everything above. Needs no memory; may build plans for the device.
  virtual LayerSpec setup(Context& context, std::span<const TensorSpec> inputs) = 0;
  virtual void forward(Context& context, const NodeIo& io) = 0;
  // Writes or adds input and parameter gradients as the modes say.
  virtual void backward(Context& context, const NodeIo& io) = 0;

  virtual std::vector<Param> params() const { return {}; }
  // True for layers whose output is a term of the loss, one value or one for each picture, which add up:
  // backward() starts there, output_gradient is empty.
  virtual bool is_loss() const { return false; }
  // True for losses whose backward() can write the output as well, so that forward() need not be called.
  virtual bool value_comes_with_gradient() const { return false; }
  virtual const char* type() const = 0;
  // Multiply-adds of the forward pass, for profiles; 0 for memory-bound layers.
  virtual std::int64_t multiply_adds() const { return 0; }
};

}  // namespace chiaro
