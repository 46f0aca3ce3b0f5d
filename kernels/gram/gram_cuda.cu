#include "kernels/gram/gram_cuda.hpp"

#include "kernels/common/elementwise.cuh"
#include "kernels/common/tensor_cores.cuh"
#include "kernels/gram/gram_config.hpp"

namespace chiaro::gram::cuda {

namespace {

// The tile pair of a block: channels i0 .. i0 + 63 times channels j0 .. j0 + 63, over pixels begin .. end
// - 1. Blocks are (pair, split, picture); pairs run row by row through the upper triangle.
struct Place {
  int i0, j0, begin, end;
  float* partial;  // (64, 64)

  __device__ Place(const Config& config, int pixels, float* partials) {
    int row = 0, rest = blockIdx.x;
    while (rest >= config.tiles - row) rest -= config.tiles - row++;
    i0 = row * kTile, j0 = (row + rest) * kTile;
    begin = blockIdx.y * config.split_pixels;
    end = begin + config.split_pixels < pixels ? begin + config.split_pixels : pixels;
    partial =
        partials + ((std::int64_t(blockIdx.z) * config.pairs + blockIdx.x) * config.splits + blockIdx.y) *
                       (kTile * kTile);
  }
};

// Any type, any number of channels: 16 x 16 threads with 4 x 4 sums each, 16 pixels at a time.
template <class T>
__global__ void __launch_bounds__(256) tiled_kernel(const T* __restrict__ f, float* __restrict__ partials,
                                                    int pixels, int channels, Config config) {
  constexpr int kDepth = 16;
  CHIARO_SHARED(float, rows, [kDepth][kTile + 4]);
  CHIARO_SHARED(float, columns, [kDepth][kTile + 4]);
  const Place place(config, pixels, partials);
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  const T* picture = f + std::int64_t(blockIdx.z) * pixels * channels;
  float sum[4][4] = {};
  for (int p0 = place.begin; p0 < place.end; p0 += kDepth) {
    for (int e = threadIdx.x; e < kDepth * kTile; e += 256) {
      const int p = p0 + e / kTile, c = e % kTile;
      const T* pixel = picture + std::int64_t(p) * channels;
      rows[e / kTile][c] = p < place.end && place.i0 + c < channels ? to_float(pixel[place.i0 + c]) : 0.0f;
      columns[e / kTile][c] = p < place.end && place.j0 + c < channels ? to_float(pixel[place.j0 + c]) : 0.0f;
    }
    __syncthreads();
    CHIARO_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      float a[4], b[4];
      load<4>(&rows[k][ty * 4], a);
      load<4>(&columns[k][tx * 4], b);
      CHIARO_UNROLL
      for (int i = 0; i < 4; ++i) {
        CHIARO_UNROLL
        for (int j = 0; j < 4; ++j) sum[i][j] = fmaf(a[i], b[j], sum[i][j]);
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) store<4>(place.partial + (ty * 4 + i) * kTile + tx * 4, sum[i]);
}

constexpr int kStride = kTile + 8;     // of bf16 tiles in shared memory: rows start in different banks
constexpr int kSumStride = kTile + 4;  // of fp32 tiles
constexpr int kTensorThreads = 128;
constexpr int kWordsPerThread = kTile * kTile / 8 / kTensorThreads;

// 64 pixels x 64 channels of bf16 on their way from global to shared memory, in 16-byte words.
struct Stage {
  uint4 words[kWordsPerThread];

  __device__ void load(const bf16* picture, int p0, int end, int c0, int channels) {
    CHIARO_UNROLL
    for (int k = 0; k < kWordsPerThread; ++k) {
      const int word = threadIdx.x + k * kTensorThreads, p = p0 + word / 8, c = c0 + word % 8 * 8;
      words[k] = p < end && c < channels
                     ? *reinterpret_cast<const uint4*>(picture + std::int64_t(p) * channels + c)
                     : uint4{0, 0, 0, 0};
    }
  }
  __device__ void put(bf16* tile) const {
    CHIARO_UNROLL
    for (int k = 0; k < kWordsPerThread; ++k) {
      const int word = threadIdx.x + k * kTensorThreads;
      *reinterpret_cast<uint4*>(tile + word / 8 * kStride + word % 8 * 8) = words[k];
    }
  }
};

// bf16 on tensor cores: of every 64 pixels each of the four warps takes 16, and sums the whole 64x64 tile;
// the warps' tiles are added at the end. So a warp loads 8 small tiles for 16 products. The next 64 pixels
// are read while the present ones are multiplied.
__global__ void __launch_bounds__(kTensorThreads, 2)
    tensor_kernel(const bf16* __restrict__ f, float* __restrict__ partials, int pixels, int channels,
                  Config config) {
  CHIARO_SHARED_DYNAMIC(bf16,
                        rows);  // two tiles of (64, kStride); at the end one fp32 tile of (64, kSumStride)
  const Place place(config, pixels, partials);
  const bool diagonal = place.i0 == place.j0;
  bf16* columns = diagonal ? rows : rows + kTile * kStride;
  const int warp = threadIdx.x / 32;
  const bf16* picture = f + std::int64_t(blockIdx.z) * pixels * channels;
  SumTile sum[4][4];
  CHIARO_UNROLL
  for (int t = 0; t < 16; ++t) wmma::fill_fragment(sum[t / 4][t % 4], 0.0f);

  Stage row_stage, column_stage;
  const auto fetch = [&](int p0) {
    row_stage.load(picture, p0, place.end, place.i0, channels);
    if (!diagonal) column_stage.load(picture, p0, place.end, place.j0, channels);
  };
  fetch(place.begin);
  for (int p0 = place.begin; p0 < place.end; p0 += kTile) {
    row_stage.put(rows);
    if (!diagonal) column_stage.put(columns);
    __syncthreads();
    if (p0 + kTile < place.end) fetch(p0 + kTile);
    FactorTile<wmma::matrix_a, wmma::col_major> a[4];
    CHIARO_UNROLL
    for (int i = 0; i < 4; ++i) load_tile(a[i], rows + warp * 16 * kStride + i * 16, kStride);
    CHIARO_UNROLL
    for (int j = 0; j < 4; ++j) {
      FactorTile<wmma::matrix_b, wmma::row_major> b;
      load_tile(b, columns + warp * 16 * kStride + j * 16, kStride);
      CHIARO_UNROLL
      for (int i = 0; i < 4; ++i) wmma::mma_sync(sum[i][j], a[i], b, sum[i][j]);
    }
    __syncthreads();
  }

  float* total = reinterpret_cast<float*>(rows);
  for (int w = 0; w < 4; ++w) {
    if (w == warp) {
      CHIARO_UNROLL
      for (int t = 0; t < 16; ++t) {
        float* to = total + t / 4 * 16 * kSumStride + t % 4 * 16;
        SumTile& mine = sum[t / 4][t % 4];
        if (w > 0) {
          SumTile before;
          wmma::load_matrix_sync(before, to, kSumStride, wmma::mem_row_major);
          for (int e = 0; e < mine.num_elements; ++e) mine.x[e] += before.x[e];
        }
        wmma::store_matrix_sync(to, mine, kSumStride, wmma::mem_row_major);
      }
    }
    __syncthreads();
  }
  for (int e = threadIdx.x * 4; e < kTile * kTile; e += kTensorThreads * 4) {
    float v[4];
    load<4>(total + e / kTile * kSumStride + e % kTile, v);
    store<4>(place.partial + e, v);
  }
}

constexpr std::size_t kTensorShared = 2 * kTile * kStride * sizeof(bf16);
static_assert(kTensorShared >= kTile * kSumStride * sizeof(float));

// g[i,j] = g[j,i] = scale * sum of the splits of tile pair (i,j), in order. Over pictures of (C,C).
struct Finish {
  const float* partials;
  float* g;
  float scale;
  int channels;
  Config config;

  template <int V>
  __device__ void run(int n, int i, int j, int) const {
    if (i > j) return;
    const int row = i / kTile, pair = row * config.tiles - row * (row - 1) / 2 + j / kTile - row;
    const float* tile = partials + (std::int64_t(n) * config.pairs + pair) * config.splits * (kTile * kTile) +
                        i % kTile * kTile + j % kTile;
    float sum = 0;
    for (int s = 0; s < config.splits; ++s) sum += tile[s * (kTile * kTile)];
    float* picture = g + std::int64_t(n) * channels * channels;
    picture[i * channels + j] = picture[j * channels + i] = scale * sum;
  }
};

}  // namespace

std::int64_t forward_workspace_bytes(Shape f) {
  const Config config = pick_config(f);
  return f.n * config.pairs * config.splits * kTile * kTile * std::int64_t(sizeof(float));
}

void forward(CudaStream stream, ConstTensorView f, float* g, float scale, void* workspace) {
  const Shape& s = f.shape;
  const Config config = pick_config(s);
  const int pixels = static_cast<int>(s.pixels()), channels = static_cast<int>(s.c);
  const dim3 grid(config.pairs, config.splits, static_cast<unsigned>(s.n));
  float* partials = static_cast<float*>(workspace);
  require(s.pixels() <= 0x7fffffff && s.n <= 65535, "gram: f {} is too large", to_string(s));
  if (f.dtype == DType::BF16 && s.c % 8 == 0 && is_aligned(f.data))
    launch("gram_tensor", tensor_kernel, grid, dim3(kTensorThreads), kTensorShared, stream, f.as<bf16>(),
           partials, pixels, channels, config);
  else
    visit_dtype(f.dtype, [&](auto zero) {
      using T = decltype(zero);
      launch("gram_tiled", tiled_kernel<T>, grid, dim3(256), 0, stream, f.as<T>(), partials, pixels, channels,
             config);
    });
  launch_pixels<4>("gram_finish", stream, Finish{partials, g, scale, channels, config}, {s.n, s.c, s.c, 1},
                   false);
}

}  // namespace chiaro::gram::cuda
