#include "kernels/elementwise/image_convert_cuda.hpp"

#include "kernels/cuda/elementwise.cuh"

namespace chiaro::image_convert::cuda {

namespace {

constexpr int kBytes = 8;  // per thread

template <class T>
struct ToTensor {
  const std::uint8_t* rgb;
  T* y;

  template <int V>
  __device__ void run(std::int64_t i) const {
    float v[V];
    if constexpr (V == 1) {
      v[0] = float(rgb[i]);
    } else {
      const uint2 word = *reinterpret_cast<const uint2*>(rgb + i);
      CHIARO_UNROLL
      for (int k = 0; k < 4; ++k) {
        v[k] = float(word.x >> 8 * k & 255);
        v[k + 4] = float(word.y >> 8 * k & 255);
      }
    }
    store<V>(y + i, v);
  }
};

template <class T>
struct ToBytes {
  const T* x;
  std::uint8_t* rgb;

  // fmaxf turns NaN into 0; rintf takes halves to even.
  static __device__ unsigned byte_of(float v) { return unsigned(rintf(fminf(fmaxf(v, 0.0f), 255.0f))); }

  template <int V>
  __device__ void run(std::int64_t i) const {
    float v[V];
    load<V>(x + i, v);
    if constexpr (V == 1) {
      rgb[i] = std::uint8_t(byte_of(v[0]));
    } else {
      uint2 word{0, 0};
      CHIARO_UNROLL
      for (int k = 0; k < 4; ++k) {
        word.x |= byte_of(v[k]) << 8 * k;
        word.y |= byte_of(v[k + 4]) << 8 * k;
      }
      *reinterpret_cast<uint2*>(rgb + i) = word;
    }
  }
};

}  // namespace

void to_tensor(CudaStream stream, const std::uint8_t* rgb, TensorView y) {
  visit_dtype(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const ToTensor<T> op{rgb, y.as<T>()};
    launch_elementwise<kBytes>("image_to_tensor", stream, op, y.shape.count(),
                               is_aligned(rgb, kBytes) && is_aligned(op.y));
  });
}

void to_bytes(CudaStream stream, ConstTensorView x, std::uint8_t* rgb) {
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const ToBytes<T> op{x.as<T>(), rgb};
    launch_elementwise<kBytes>("image_to_bytes", stream, op, x.shape.count(),
                               is_aligned(rgb, kBytes) && is_aligned(op.x));
  });
}

}  // namespace chiaro::image_convert::cuda
