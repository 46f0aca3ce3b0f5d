// One kernel source for two compilers. nvcc builds it for GPUs; the host compiler builds the same file for
// the emulated tests, with CHIARO_EMULATOR naming the emulator's header (tests/simt).
//
// Kernels keep to three rules; the rest is ordinary CUDA C++:
//   1. they are started by launch(), nowhere with <<<>>>;
//   2. shared memory is declared by CHIARO_SHARED(float, tile, [16][68]) or, of the size that the launch asks
//      for, CHIARO_SHARED_DYNAMIC(float, buffer), both aligned to 128 bytes;
//   3. they use only what the emulator has, and no thread returns before a barrier of its block.
// Device code uses constexpr functions of the host: nvcc needs --expt-relaxed-constexpr.
#pragma once
#include <cstdint>

#include "kernels/base/bf16.hpp"
#include "kernels/base/cuda_stream.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/settings.hpp"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#define CHIARO_SHARED(T, name, ...) __shared__ __align__(128) T name __VA_ARGS__
#define CHIARO_SHARED_DYNAMIC(T, name)                                    \
  extern __shared__ __align__(128) unsigned char chiaro_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(chiaro_dynamic_shared)
#define CHIARO_UNROLL _Pragma("unroll")
#define CHIARO_NO_UNROLL _Pragma("unroll 1")
#else
#include CHIARO_EMULATOR  // brings in its tensor cores too
#define CHIARO_UNROLL
#define CHIARO_NO_UNROLL
#endif

namespace chiaro {

// Starts a kernel. Throws Error, with `name`, when the device refuses; Settings::synchronous waits for the
// kernel and so names the one that failed (not while a graph is captured).
template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes,
            CudaStream stream, A&&... args) {
#ifdef __CUDACC__
  const auto check = [name](cudaError_t status) {
    if (status != cudaSuccess)
      throw Error("{}: {}: {}", name, cudaGetErrorName(status), cudaGetErrorString(status));
  };
  if (shared_bytes > 48u << 10)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared_bytes)));
  kernel<<<grid, block, shared_bytes, stream>>>(static_cast<P>(args)...);
  check(cudaGetLastError());
  if (settings().synchronous) check(cudaStreamSynchronize(stream));
#else
  simt::launch(name, kernel, grid, block, shared_bytes, stream, static_cast<A&&>(args)...);
#endif
}

// Blocks of `size` that cover `count`, as one grid extent. Throws Error when a grid cannot have so many.
inline unsigned blocks_for(std::int64_t count, std::int64_t size) {
  const std::int64_t blocks = (count + size - 1) / size;
  require(blocks > 0 && blocks <= 0x7fffffff, "a grid of {} blocks is not possible", blocks);
  return static_cast<unsigned>(blocks);
}

inline bool is_aligned(const void* pointer, std::size_t bytes = 16) {
  return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

// --- Vectors of V neighboring elements, read and written in accesses of up to 16 bytes. V is 1, 4 or 8; for
// V > 1 pointers are multiples of V elements from a 16-byte boundary.

inline __device__ float to_float(float x) {
  return x;
}
inline __device__ float to_float(bf16 x) {
  return __uint_as_float(unsigned{x.bits} << 16);
}

template <class T>
inline __device__ T from_float(float x) {
  if constexpr (sizeof(T) == 4) {
    return x;
  } else {
#ifdef __CUDACC__
    bf16 y;
    y.bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
    return y;
#else
    return bf16(x);
#endif
  }
}

inline __device__ void unpack(unsigned pair, float& low, float& high) {
  low = __uint_as_float(pair << 16);
  high = __uint_as_float(pair & 0xffff0000u);
}
inline __device__ unsigned pack(float low, float high) {
#ifdef __CUDACC__
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return unsigned{__bfloat16_as_ushort(pair.x)} | unsigned{__bfloat16_as_ushort(pair.y)} << 16;
#else
  return unsigned{bf16(low).bits} | unsigned{bf16(high).bits} << 16;
#endif
}

template <int V, class T>
inline __device__ void load(const T* p, float (&v)[V]) {
  static_assert(V == 1 || V == 4 || V == 8);
  if constexpr (V == 1) {
    v[0] = to_float(*p);
  } else if constexpr (sizeof(T) == 4) {
    CHIARO_UNROLL
    for (int k = 0; k < V; k += 4) {
      const float4 word = *reinterpret_cast<const float4*>(p + k);
      v[k] = word.x, v[k + 1] = word.y, v[k + 2] = word.z, v[k + 3] = word.w;
    }
  } else if constexpr (V == 4) {
    const uint2 word = *reinterpret_cast<const uint2*>(p);
    unpack(word.x, v[0], v[1]), unpack(word.y, v[2], v[3]);
  } else {
    const uint4 word = *reinterpret_cast<const uint4*>(p);
    unpack(word.x, v[0], v[1]), unpack(word.y, v[2], v[3]);
    unpack(word.z, v[4], v[5]), unpack(word.w, v[6], v[7]);
  }
}

template <int V, class T>
inline __device__ void store(T* p, const float (&v)[V]) {
  static_assert(V == 1 || V == 4 || V == 8);
  if constexpr (V == 1) {
    *p = from_float<T>(v[0]);
  } else if constexpr (sizeof(T) == 4) {
    CHIARO_UNROLL
    for (int k = 0; k < V; k += 4)
      *reinterpret_cast<float4*>(p + k) = float4{v[k], v[k + 1], v[k + 2], v[k + 3]};
  } else if constexpr (V == 4) {
    *reinterpret_cast<uint2*>(p) = uint2{pack(v[0], v[1]), pack(v[2], v[3])};
  } else {
    *reinterpret_cast<uint4*>(p) =
        uint4{pack(v[0], v[1]), pack(v[2], v[3]), pack(v[4], v[5]), pack(v[6], v[7])};
  }
}

// p = v, or p += v, rounded once.
template <int V, class T>
inline __device__ void store_gradient(T* p, float (&v)[V], bool accumulate) {
  if (accumulate) {
    float old[V];
    load<V>(p, old);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) v[k] += old[k];
  }
  store<V>(p, v);
}

}  // namespace chiaro
