// Kernels whose threads each make one vector of results from a few vectors of inputs.
//
// An operation is a struct with `template <int V> __device__ void run(...) const`, copied to the device as
// the kernel's argument. V is 1 where arrays are not aligned for vectors, or their channels not divisible.
#pragma once
#include "kernels/base/cuda_portable.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro {

inline constexpr int kElementThreads = 256;

// 16 bytes of the smallest of the types: 8 elements with bf16 among them, else 4.
template <class... T>
inline constexpr int kVectorOf = ((sizeof(T) == 2) || ...) ? 8 : 4;

// Every array starts where vectors may.
template <class... Arrays>
bool all_aligned(const Arrays*... arrays) {
  return (is_aligned(arrays) && ...);
}

template <int V, class Op>
__global__ void __launch_bounds__(kElementThreads, 4) elementwise_kernel(Op op, std::int64_t count) {
  const std::int64_t i = (std::int64_t(blockIdx.x) * kElementThreads + threadIdx.x) * V;
  if (i + V <= count) {
    op.template run<V>(i);
  } else {
    for (std::int64_t k = i; k < count; ++k) op.template run<1>(k);
  }
}

// op.run<V>(i) for elements i .. i + V - 1 of `count`.
template <int V, class Op>
void launch_elementwise(const char* name, CudaStream stream, const Op& op, std::int64_t count, bool vectors) {
  if (count == 0) return;
  const std::int64_t per_block = kElementThreads * (vectors ? V : 1);
  launch(name, vectors ? elementwise_kernel<V, Op> : elementwise_kernel<1, Op>,
         dim3(blocks_for(count, per_block)), dim3(kElementThreads), 0, stream, op, count);
}

template <int V, class Op>
__global__ void __launch_bounds__(kElementThreads, 4)
    pixel_kernel(Op op, int H, int W, int channels, unsigned vectors) {
  unsigned u = blockIdx.x * kElementThreads + threadIdx.x;
  if (u >= vectors) return;
  const unsigned per_pixel = channels / V;
  const int c = int(u % per_pixel) * V;
  u /= per_pixel;
  const int w = int(u % W);
  u /= W;
  op.template run<V>(int(u / H), int(u % H), w, c);
}

// op.run<V>(n, h, w, c) for channels c .. c + V - 1 of every pixel of `shape`.
template <int V, class Op>
void launch_pixels(const char* name, CudaStream stream, const Op& op, const Shape& shape, bool aligned) {
  if (shape.count() == 0) return;
  const bool vectors = aligned && shape.c % V == 0;
  const std::int64_t count = shape.count() / (vectors ? V : 1);
  require(count <= 0x7fffffff, "{}: {} is too large", name, to_string(shape));
  launch(name, vectors ? pixel_kernel<V, Op> : pixel_kernel<1, Op>, dim3(blocks_for(count, kElementThreads)),
         dim3(kElementThreads), 0, stream, op, int(shape.h), int(shape.w), int(shape.c), unsigned(count));
}

// A dense NHWC array on the device.
template <class T>
struct Picture {
  T* data;
  int h, w, c;

  __device__ T* at(int n, int row, int column, int channel) const {
    return data + ((std::int64_t(n) * h + row) * w + column) * c + channel;
  }
};
template <class T>
Picture<const T> picture_of(const ConstTensorView& t) {
  return {t.as<T>(), int(t.shape.h), int(t.shape.w), int(t.shape.c)};
}
template <class T>
Picture<T> picture_of(const TensorView& t) {
  return {t.as<T>(), int(t.shape.h), int(t.shape.w), int(t.shape.c)};
}

// Calls f with a value of each tensor's element type.
template <class F>
void visit_dtypes(DType a, DType b, F&& f) {
  visit_dtype(a, [&](auto first) { visit_dtype(b, [&](auto second) { f(first, second); }); });
}

}  // namespace chiaro
