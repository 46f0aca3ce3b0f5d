// Tensors and pictures between the host and the device that computes.
#pragma once
#include <span>
#include <vector>

#include "engine/buffer.hpp"
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro {

// Fills a tensor of this context from the host, in memory order. Waits. Errors: not as many values, or not
// the tensor's type.
void write_tensor(Context& context, TensorView to, std::span<const float> values);
// rgb: as many bytes, 0..255, which become numbers of the tensor's type.
void write_picture(Context& context, TensorView to, std::span<const std::uint8_t> rgb);

// All values of a tensor of this context in memory order, as fp32 whatever its type. Waits.
std::vector<float> read_tensor(Context& context, ConstTensorView from);

// Feeds pictures to one tensor again and again without waiting: send() can be recorded
// (base/cuda_graph_exec.hpp) and then takes what stage() was last given.
class PictureFeed {
 public:
  // to: (N,H,W,3), a tensor of this context that outlives this object.
  PictureFeed(Context& context, TensorView to);

  // rgb: (N,H,W,3) bytes, to stay as they are until send() has run on the CPU. On a GPU they are copied, so
  // what was sent before must have been waited for. Error: not as many bytes.
  void stage(std::span<const std::uint8_t> rgb);
  void send();

 private:
  Context& context_;
  TensorView to_;
  const std::uint8_t* staged_ = nullptr;
  Buffer pinned_, on_device_;  // empty on the CPU
};

// The same for tensors of fp32 values.
class TensorFeed {
 public:
  TensorFeed(Context& context, TensorView to);

  void stage(std::span<const float> values);
  void send();

 private:
  Context& context_;
  TensorView to_;
  const float* staged_ = nullptr;
  Buffer pinned_;  // empty on the CPU
};

// The way back: a tensor (N,H,W,3) as bytes, clamped and rounded. receive() can be recorded; bytes() waits.
class PictureSink {
 public:
  PictureSink(Context& context, ConstTensorView from);

  void receive();
  void bytes(std::span<std::uint8_t> rgb);

 private:
  Context& context_;
  ConstTensorView from_;
  Buffer bytes_, on_device_;  // bytes_: of the host
};

}  // namespace chiaro
