// What the kernels of the implicit GEMM share: a block's 64x64 sums, and where a filter's taps read.
#pragma once
#include "kernels/conv2d/conv2d.hpp"
#include "kernels/cuda/elementwise.cuh"

namespace chiaro::conv2d::cuda {

inline constexpr int kTile = 64;           // rows and columns of sums of a block
inline constexpr int kDepth = 32;          // terms that are in shared memory at a time
inline constexpr int kThreads = 128;       // 16 along the columns, 8 along the rows
inline constexpr int kStride = kTile + 4;  // of tiles in shared memory, to keep rows apart and aligned

using Tile = float[kDepth][kStride];

// The 8x4 sums of a thread: rows row() .. row() + 7, columns column() .. column() + 3 of the block's tile.
struct Sums {
  float v[8][4] = {};

  static __device__ int row() { return int(threadIdx.x) / 16 * 8; }
  static __device__ int column() { return int(threadIdx.x) % 16 * 4; }

  __device__ void add_product(const Tile& rows, const Tile& columns) {
    CHIARO_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      float a[8], b[4];
      load<8>(&rows[k][row()], a);
      load<4>(&columns[k][column()], b);
      CHIARO_UNROLL
      for (int i = 0; i < 8; ++i) {
        CHIARO_UNROLL
        for (int j = 0; j < 4; ++j) v[i][j] = fmaf(a[i], b[j], v[i][j]);
      }
    }
  }
};

// How a filter slides over pictures. Between their pixels lie spread - 1 zeros, around them any number.
struct Window {
  int height, width, channels;      // of the pictures
  int filter_width;                 // S
  int step, spread;                 // the filter moves by `step`
  int top, left;                    // zeros in front
  int target_height, target_width;  // places of the filter

  struct Corner {  // place of the filter's first tap, in picture n
    int n, h, w;
  };
  struct Tap {
    int r, s, c;
  };

  // Places beyond the last one lie where every tap falls outside.
  __device__ Corner corner(int place, int places) const {
    if (place >= places) return {0, -(1 << 30), 0};
    const int row = place / target_width;
    return {row / target_height, row % target_height * step - top, place % target_width * step - left};
  }
  __device__ Tap tap(int index) const {
    const int rs = index / channels;
    return {rs / filter_width, rs % filter_width, index % channels};
  }
  // Where a tap reads; nullptr: a zero.
  template <class T>
  __device__ const T* find(const T* pictures, const Corner& corner, const Tap& tap) const {
    int h = corner.h + tap.r, w = corner.w + tap.s;
    if (spread > 1) {
      if (h % spread != 0 || w % spread != 0) return nullptr;
      h /= spread, w /= spread;
    }
    if (h < 0 || h >= height || w < 0 || w >= width) return nullptr;
    return pictures + ((std::int64_t(corner.n) * height + h) * width + w) * channels + tap.c;
  }
};

inline void check_size(const Problem& p) {
  const Shape y = p.y();
  for (const std::int64_t count :
       {p.x.n * p.x.pixels(), y.n * y.pixels(), p.r * p.s * p.x.c, p.r * p.s * p.k})
    require(count < 1 << 30, "conv2d {}: too large for the implicit GEMM", to_string(p));
}

inline Window forward_window(const Problem& p) {
  check_size(p);
  const Shape y = p.y();
  return {.height = int(p.x.h),
          .width = int(p.x.w),
          .channels = int(p.x.c),
          .filter_width = int(p.s),
          .step = int(p.stride),
          .spread = 1,
          .top = int(p.pad.top),
          .left = int(p.pad.left),
          .target_height = int(y.h),
          .target_width = int(y.w)};
}

inline Window backward_window(const Problem& p) {
  check_size(p);
  const Shape y = p.y();
  return {.height = int(y.h),
          .width = int(y.w),
          .channels = int(p.k),
          .filter_width = int(p.s),
          .step = 1,
          .spread = int(p.stride),
          .top = int(p.r - 1 - p.pad.top),
          .left = int(p.s - 1 - p.pad.left),
          .target_height = int(p.x.h),
          .target_width = int(p.x.w)};
}

}  // namespace chiaro::conv2d::cuda
