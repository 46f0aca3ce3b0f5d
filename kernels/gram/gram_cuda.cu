#include "kernels/gram/gram_cuda.hpp"

#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/grid_sum.cuh"
#include "kernels/cuda/tensor_cores.cuh"
#include "kernels/gram/gram_config.hpp"

namespace chiaro::gram::cuda {

namespace {

// A tile pair: channels i0 .. i0 + 63 times channels j0 .. j0 + 63. Pairs run row by row through the upper
// triangle.
struct Pair {
  int i0, j0;

  __device__ Pair(const Config& config, int pair) {
    int row = 0;
    while (pair >= config.tiles - row) pair -= config.tiles - row++;
    i0 = row * kTile, j0 = (row + pair) * kTile;
  }
};

// What a block multiplies: its tile pair over pixels begin .. end - 1. Blocks are (pair, split, picture).
struct Place : Pair {
  int begin, end;
  float* partial;  // (64, 64)

  __device__ Place(const Config& config, int pixels, float* partials) : Pair(config, blockIdx.x) {
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

// Over the elements (n, pair, i, j) of the first split's partial tiles: adds the splits in order and mirrors.
// With a target: the gradient of the style loss in place of g, and the value's part of these elements.
struct Finish {
  const float* partials;
  float* out;  // (N,C,C): g, or dg
  float scale;
  int channels;
  Config config;
  const float* target = nullptr;  // (C,C)
  double coefficient = 0;
  float factor = 1;               // of g - target in dg
  const float* weight = nullptr;  // one more factor of both, or null

  template <int V>
  __device__ double run(std::int64_t element) const {
    static_assert(V == 1);
    constexpr int kTileSize = kTile * kTile;
    const std::int64_t tile = element / kTileSize;
    const int in_tile = int(element % kTileSize);
    const Pair pair(config, int(tile % config.pairs));
    const int i = pair.i0 + in_tile / kTile, j = pair.j0 + in_tile % kTile;
    if (i > j || j >= channels) return 0;
    const float* part = partials + tile * config.splits * kTileSize + in_tile;
    float sum = 0;
    for (int s = 0; s < config.splits; ++s) sum += part[s * kTileSize];
    float result = scale * sum;
    double value = 0;
    if (target) {
      const float difference = result - target[i * channels + j];
      const float k = weight ? *weight : 1.0f;
      value = (i == j ? coefficient : 2 * coefficient) * double(k) * (double(difference) * difference);
      result = k * factor * difference;
    }
    float* picture = out + tile / config.pairs * channels * channels;
    picture[i * channels + j] = picture[j * channels + i] = result;
    return value;
  }
};

// The partial tiles of all pictures, (N, pairs, splits, 64, 64).
void multiply(CudaStream stream, ConstTensorView f, const Config& config, float* partials) {
  const Shape& s = f.shape;
  const int pixels = static_cast<int>(s.pixels()), channels = static_cast<int>(s.c);
  const dim3 grid(config.pairs, config.splits, static_cast<unsigned>(s.n));
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
}

// value: null when op has no target.
void finish(const char* name, CudaStream stream, const Finish& op, std::int64_t pictures, float* value,
            void* sums) {
  launch_grid_sum<1>(name, stream, op, pictures * op.config.pairs * kTile * kTile, false, sums, value);
}

}  // namespace

std::int64_t forward_workspace_bytes(Shape f) {
  const Config config = pick_config(f);
  return f.n * config.pairs * config.splits * kTile * kTile * std::int64_t(sizeof(float));
}

std::int64_t style_loss_workspace_bytes(Shape f) {
  return forward_workspace_bytes(f) + kGridSumBytes;
}

void forward(CudaStream stream, ConstTensorView f, float* g, float scale, void* workspace) {
  const Config config = pick_config(f.shape);
  float* partials = static_cast<float*>(workspace);
  multiply(stream, f, config, partials);
  finish("gram_finish", stream,
         {.partials = partials, .out = g, .scale = scale, .channels = int(f.shape.c), .config = config},
         f.shape.n, nullptr, nullptr);
}

void style_loss(CudaStream stream, const StyleLossArgs& args) {
  const Shape& s = args.f.shape;
  const Config config = pick_config(s);
  float* partials = static_cast<float*>(args.workspace);
  multiply(stream, args.f, config, partials);
  const auto compare = [&](std::int64_t n, std::int64_t pictures, const float* weight) {
    finish("gram_style_finish", stream,
           {.partials = partials + n * config.pairs * config.splits * kTile * kTile,
            .out = args.dg + n * s.c * s.c,
            .scale = args.scale,
            .channels = int(s.c),
            .config = config,
            .target = args.target + n * s.c * s.c,
            .coefficient = args.coefficient,
            .factor = float(2 * args.gradient_coefficient),
            .weight = weight},
           pictures, args.value + n, static_cast<char*>(args.workspace) + forward_workspace_bytes(s));
  };
  if (!args.per_picture) return compare(0, s.n, nullptr);
  for (std::int64_t n = 0; n < s.n; ++n) compare(n, 1, args.k + n);
}

}  // namespace chiaro::gram::cuda
