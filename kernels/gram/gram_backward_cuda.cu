#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/tensor_cores.cuh"
#include "kernels/gram/gram_config.hpp"
#include "kernels/gram/gram_cuda.hpp"

namespace chiaro::gram::cuda {

namespace {

// df[p,i] (+)= factor * sum over j of f[p,j] * dg[j,i]. Blocks are (64 pixels, 64 channels i, picture).
template <class T>
struct Product {
  const T* __restrict__ f;
  const float* __restrict__ dg;
  T* __restrict__ df;
  int pixels, channels;
  float factor;
  bool accumulate;

  __device__ const T* picture() const { return f + std::int64_t(blockIdx.z) * pixels * channels; }
  __device__ const float* matrix() const { return dg + std::int64_t(blockIdx.z) * channels * channels; }
  __device__ T* at(int p, int i) const { return df + (std::int64_t(blockIdx.z) * pixels + p) * channels + i; }
};

// Any type, any number of channels: 16 x 16 threads with 4 pixels x 4 channels each, 16 channels j at a time.
template <class T>
__global__ void __launch_bounds__(256) tiled_backward_kernel(Product<T> a) {
  constexpr int kDepth = 16;
  CHIARO_SHARED(float, rows, [kTile][kDepth + 1]);
  CHIARO_SHARED(float, columns, [kDepth][kTile + 4]);
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16, C = a.channels;
  const int p0 = blockIdx.x * kTile, i0 = blockIdx.y * kTile;
  float sum[4][4] = {};
  for (int j0 = 0; j0 < C; j0 += kDepth) {
    for (int e = threadIdx.x; e < kDepth * kTile; e += 256) {
      const int p = p0 + e / kDepth, j = j0 + e % kDepth;
      rows[e / kDepth][e % kDepth] =
          p < a.pixels && j < C ? to_float(a.picture()[std::int64_t(p) * C + j]) : 0.0f;
      const int k = j0 + e / kTile, i = i0 + e % kTile;
      columns[e / kTile][e % kTile] = k < C && i < C ? a.matrix()[k * C + i] : 0.0f;
    }
    __syncthreads();
    CHIARO_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      float b[4];
      load<4>(&columns[k][tx * 4], b);
      CHIARO_UNROLL
      for (int r = 0; r < 4; ++r) {
        const float x = rows[ty * 4 + r][k];
        CHIARO_UNROLL
        for (int j = 0; j < 4; ++j) sum[r][j] = fmaf(x, b[j], sum[r][j]);
      }
    }
    __syncthreads();
  }
  for (int r = 0; r < 4; ++r)
    for (int j = 0; j < 4; ++j) {
      const int p = p0 + ty * 4 + r, i = i0 + tx * 4 + j;
      float v[1] = {a.factor * sum[r][j]};
      if (p < a.pixels && i < C) store_gradient<1>(a.at(p, i), v, a.accumulate);
    }
}

constexpr int kStride = kTile + 8, kSumStride = kTile + 4, kTensorThreads = 128;

// bf16 on tensor cores, C a multiple of 8: each of the four warps sums 32 pixels x 32 channels. dg is rounded
// to bf16 on its way to shared memory.
__global__ void __launch_bounds__(kTensorThreads) tensor_backward_kernel(Product<bf16> a) {
  CHIARO_SHARED_DYNAMIC(bf16,
                        rows);  // (64 pixels, kStride), then (64 channels j, kStride); at the end fp32 sums
  bf16* columns = rows + kTile * kStride;
  const int warp_p = threadIdx.x / 64 * 32, warp_i = threadIdx.x / 32 % 2 * 32, C = a.channels;
  const int p0 = blockIdx.x * kTile, i0 = blockIdx.y * kTile;
  SumTile sum[2][2];
  CHIARO_UNROLL
  for (int t = 0; t < 4; ++t) wmma::fill_fragment(sum[t / 2][t % 2], 0.0f);
  for (int j0 = 0; j0 < C; j0 += kTile) {
    CHIARO_UNROLL
    for (int word = threadIdx.x; word < kTile * kTile / 8; word += kTensorThreads) {
      const int row = word / 8, column = word % 8 * 8, p = p0 + row, j = j0 + column, k = j0 + row,
                i = i0 + column;
      float v[8] = {}, w[8] = {};
      if (p < a.pixels && j < C) load<8>(a.picture() + std::int64_t(p) * C + j, v);
      if (k < C && i < C) load<8>(a.matrix() + k * C + i, w);
      store<8>(rows + row * kStride + column, v);
      store<8>(columns + row * kStride + column, w);
    }
    __syncthreads();
    CHIARO_UNROLL
    for (int k = 0; k < kTile; k += 16) {
      FactorTile<wmma::matrix_a, wmma::row_major> x[2];
      FactorTile<wmma::matrix_b, wmma::row_major> m[2];
      CHIARO_UNROLL
      for (int t = 0; t < 2; ++t) {
        load_tile(x[t], rows + (warp_p + t * 16) * kStride + k, kStride);
        load_tile(m[t], columns + k * kStride + warp_i + t * 16, kStride);
      }
      CHIARO_UNROLL
      for (int t = 0; t < 4; ++t) wmma::mma_sync(sum[t / 2][t % 2], x[t / 2], m[t % 2], sum[t / 2][t % 2]);
    }
    __syncthreads();
  }
  float* total = reinterpret_cast<float*>(rows);
  CHIARO_UNROLL
  for (int t = 0; t < 4; ++t)
    wmma::store_matrix_sync(total + (warp_p + t / 2 * 16) * kSumStride + warp_i + t % 2 * 16,
                            sum[t / 2][t % 2], kSumStride, wmma::mem_row_major);
  __syncthreads();
  for (int word = threadIdx.x; word < kTile * kTile / 8; word += kTensorThreads) {
    const int p = p0 + word / 8, i = i0 + word % 8 * 8;
    if (p >= a.pixels || i >= C) continue;
    float v[8];
    load<8>(total + word / 8 * kSumStride + word % 8 * 8, v);
    CHIARO_UNROLL
    for (int k = 0; k < 8; ++k) v[k] *= a.factor;
    store_gradient<8>(a.at(p, i), v, a.accumulate);
  }
}

constexpr std::size_t kTensorShared = 2 * kTile * kStride * sizeof(bf16);
static_assert(kTensorShared >= kTile * kSumStride * sizeof(float));

}  // namespace

void backward(CudaStream stream, ConstTensorView f, const float* dg, float scale, TensorView df,
              bool accumulate) {
  const Shape& s = f.shape;
  require(s.pixels() <= 0x7fffffff && s.n <= 65535, "gram: f {} is too large", to_string(s));
  const dim3 grid(blocks_for(s.pixels(), kTile), blocks_for(s.c, kTile), static_cast<unsigned>(s.n));
  visit_dtype(f.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Product<T> product{.f = f.as<T>(),
                             .dg = dg,
                             .df = df.as<T>(),
                             .pixels = int(s.pixels()),
                             .channels = int(s.c),
                             .factor = 2 * scale,
                             .accumulate = accumulate};
    if constexpr (sizeof(T) == 2) {
      if (s.c % 8 == 0 && all_aligned(product.f, product.dg, product.df)) {
        launch("gram_backward_tensor", tensor_backward_kernel, grid, dim3(kTensorThreads), kTensorShared,
               stream, product);
        return;
      }
    }
    launch("gram_backward_tiled", tiled_backward_kernel<T>, grid, dim3(256), 0, stream, product);
  });
}

}  // namespace chiaro::gram::cuda
