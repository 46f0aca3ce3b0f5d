// What a CUDA kernel finds when the host compiler builds it: CUDA's qualifiers, built-in variables, vector
// types, barriers, warp collectives, atomics and the few maths functions that our kernels use.
//
// Included by kernels/base/cuda_portable.hpp alone. README.md says how it works and what it does not show.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>
#include <type_traits>
#include <utility>

#include "kernels/base/cuda_stream.hpp"
#include "tests/simt/runtime.hpp"
#include "tests/simt/stream.hpp"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

#define CHIARO_SHARED(T, name, ...)   \
  using name##_array = T __VA_ARGS__; \
  static const char name##_tag = 0;   \
  name##_array& name =                \
      *static_cast<name##_array*>(::simt::shared_array(&name##_tag, sizeof(name##_array), sizeof(T)))
#define CHIARO_SHARED_DYNAMIC(T, name) T* const name = static_cast<T*>(::simt::dynamic_shared(sizeof(T)))

struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline float2 make_float2(float x, float y) {
  return {x, y};
}

namespace simt {

// The null stream runs the kernel at once; others keep it, with copies of its arguments, until they are
// waited for.
template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes,
            CUstream_st* stream, A&&... args) {
  auto work = [=, call = std::pair(kernel, std::tuple<P...>(static_cast<P>(args)...))] {
    run({name, grid, block, shared_bytes,
         [](const void* p) {
           const auto& c = *static_cast<const decltype(call)*>(p);
           std::apply(c.first, c.second);
         },
         &call});
  };
  if (stream)
    stream->submit({name, std::move(work)});
  else
    work();
}

template <class T>
T shuffle(std::uint32_t mask, T value, int source, const Site& site) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::memcpy(this_lane().value, &value, sizeof value);
  this_lane().argument = source;
  collective(mask, Wait::shuffle, site, [](Lane* lanes, std::uint32_t m, const Site& where) {
    for (int l = 0; l < 32; ++l) {
      if (!(m >> l & 1)) continue;
      if (!(m >> lanes[l].argument & 1)) fail("a shuffle", "reads a lane outside the mask", where);
      std::memcpy(lanes[l].result, lanes[lanes[l].argument].value, sizeof lanes[l].result);
    }
  });
  std::memcpy(&value, this_lane().result, sizeof value);
  return value;
}

}  // namespace simt

inline void __syncthreads(simt::Site site = simt::Site::here()) {
  simt::block_barrier(site);
}
inline void __syncwarp(unsigned mask = ~0u, simt::Site site = simt::Site::here()) {
  simt::collective(mask, simt::Wait::syncwarp, site, nullptr);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, simt::Site site = simt::Site::here()) {
  const int segment = simt::lane_index() & ~(width - 1);
  return simt::shuffle(mask, value, segment | (source & (width - 1)), site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, simt::Site site = simt::Site::here()) {
  const int lane = simt::lane_index(), source = lane ^ bits;
  return simt::shuffle(mask, value, source >= (lane & ~(width - 1)) + width ? lane : source, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32,
                   simt::Site site = simt::Site::here()) {
  const int lane = simt::lane_index(), source = lane + static_cast<int>(by);
  return simt::shuffle(mask, value, source >= (lane & ~(width - 1)) + width ? lane : source, site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, simt::Site site = simt::Site::here()) {
  simt::this_lane().argument = predicate != 0;
  simt::collective(mask, simt::Wait::vote, site, [](simt::Lane* lanes, std::uint32_t m, const simt::Site&) {
    std::uint32_t ballot = 0;
    for (int l = 0; l < 32; ++l)
      if (m >> l & 1) ballot |= static_cast<std::uint32_t>(lanes[l].argument) << l;
    for (int l = 0; l < 32; ++l) std::memcpy(lanes[l].result, &ballot, sizeof ballot);
  });
  unsigned ballot;
  std::memcpy(&ballot, simt::this_lane().result, sizeof ballot);
  return ballot;
}

// Blocks and threads run one at a time: the plain operation is atomic. Reads the old value first.
template <class T, class U>
[[gnu::noinline, gnu::no_sanitize("thread")]] T atomicAdd(T* address, U operand) {
  simt::race_atomic(address, sizeof(T), __builtin_return_address(0));
  const T old = *address;
  *address = static_cast<T>(old + static_cast<T>(operand));
  return old;
}

inline float __uint_as_float(unsigned bits) {
  return std::bit_cast<float>(bits);
}
inline unsigned __float_as_uint(float value) {
  return std::bit_cast<unsigned>(value);
}
inline float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}
using std::max;
using std::min;
