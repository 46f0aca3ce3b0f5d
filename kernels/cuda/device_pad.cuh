// One axis of a picture with its border, on the device: where a padded coordinate comes from, and which
// padded coordinates a pixel went to (see pad_source in tensor.hpp).
#pragma once
#include "kernels/base/cuda_portable.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro {

struct Axis {
  int extent, before, after;
  bool replicate;

  __device__ int outer() const { return before + extent + after; }
  __device__ int source(int i) const {
    const int x = i - before;
    if (replicate) return x < 0 ? 0 : x >= extent ? extent - 1 : x;
    return x < 0 ? -x : x >= extent ? 2 * extent - 2 - x : x;
  }
  // The pixel appears in the padded picture once.
  __device__ bool single(int x) const {
    if (replicate) return (x > 0 || before == 0) && (x < extent - 1 || after == 0);
    return (x == 0 || x > before) && (x == extent - 1 || x < extent - 1 - after);
  }
  // The padded coordinates whose source is x, ascending: for (i = first_copy(x); i >= 0; i = next_copy(x,
  // i)).
  __device__ int first_copy(int x) const {
    if (replicate) return x == 0 ? 0 : before + x;
    return x >= 1 && x <= before ? before - x : before + x;
  }
  __device__ int next_copy(int x, int i) const {
    if (replicate) {
      const bool more = i < before + x || (x == extent - 1 && i < outer() - 1);
      return more ? i + 1 : -1;
    }
    if (i < before + x) return before + x;
    return i == before + x && x < extent - 1 && x >= extent - 1 - after ? before + 2 * (extent - 1) - x : -1;
  }
};

struct PictureBorder {
  Axis rows, columns;
};

inline PictureBorder picture_pad(const Pad& b, const Shape& inner) {
  const Shape outer = b.outer(inner);
  require(outer.pixels() <= 0x7fffffff && inner.c <= 0x7fffffff, "a picture of {} is too large",
          to_string(outer));
  const auto axis = [&](std::int64_t extent, std::int64_t before, std::int64_t after) {
    return Axis{int(extent), int(before), int(after), b.mode == PadMode::Replicate};
  };
  return {axis(inner.h, b.top, b.bottom), axis(inner.w, b.left, b.right)};
}

// The gradient of pixel (h,w): the sum over its copies in one padded picture dy.
template <int V, class T>
__device__ void load_folded(const T* dy, const PictureBorder& b, int h, int w, int channels, int channel,
                            float (&g)[V]) {
  const int outer_w = b.columns.outer();
  const auto at = [&](int i, int j) { return dy + (std::int64_t(i) * outer_w + j) * channels + channel; };
  if (b.rows.single(h) && b.columns.single(w)) {
    load<V>(at(b.rows.before + h, b.columns.before + w), g);
    return;
  }
  CHIARO_UNROLL
  for (int k = 0; k < V; ++k) g[k] = 0;
  CHIARO_NO_UNROLL
  for (int i = b.rows.first_copy(h); i >= 0; i = b.rows.next_copy(h, i)) CHIARO_NO_UNROLL
  for (int j = b.columns.first_copy(w); j >= 0; j = b.columns.next_copy(w, j)) {
    float copy[V];
    load<V>(at(i, j), copy);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) g[k] += copy[k];
  }
}

}  // namespace chiaro
