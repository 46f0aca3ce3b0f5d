// Bytes moved: copy and round_through_bf16 read `from` (and `to`, when adding) and write `to` once;
// sum_partials reads every partial sum and writes `to` once; column_sum reads dy once and writes and reads
// its partial sums, K floats for every kRowsPerBlock rows or more.
#include "kernels/conv2d/sums_cuda.hpp"

#include <algorithm>

#include "kernels/base/cuda_portable.hpp"
#include "kernels/elementwise/map.hpp"

namespace chiaro::conv2d::cuda {

namespace {

constexpr int kThreads = 256;

// A block sums a range of rows for kLanes channels: kRowLanes rows at a time, then these in order.
constexpr int kLanes = 32, kRowLanes = 8;
constexpr std::int64_t kRowsPerBlock = 64 * kRowLanes, kMostBlocks = 1024;

std::int64_t rows_per_block(std::int64_t rows) {
  return std::max(kRowsPerBlock, (rows + kMostBlocks - 1) / kMostBlocks);
}
std::int64_t row_blocks(std::int64_t rows) {
  return (rows + rows_per_block(rows) - 1) / rows_per_block(rows);
}

template <class T>
__global__ void column_sum_kernel(const T* dy, std::int64_t rows, std::int64_t rows_of_block,
                                  std::int64_t k_count,
                                  float* partial) {  // partial: (row blocks, K)
  CHIARO_SHARED(float, lane_sums, [kRowLanes][kLanes]);
  const std::int64_t k = std::int64_t{blockIdx.y} * kLanes + threadIdx.x;
  const std::int64_t begin = std::int64_t{blockIdx.x} * rows_of_block;
  const std::int64_t end = begin + rows_of_block < rows ? begin + rows_of_block : rows;
  float sum = 0;
  if (k < k_count)
    for (std::int64_t row = begin + threadIdx.y; row < end; row += kRowLanes)
      sum += to_float(dy[row * k_count + k]);
  lane_sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && k < k_count) {
    for (int lane = 1; lane < kRowLanes; ++lane) sum += lane_sums[lane][threadIdx.x];
    partial[blockIdx.x * k_count + k] = sum;
  }
}

__global__ void sum_partials_kernel(const float* partials, std::int64_t partial_count, std::int64_t count,
                                    float* to, bool add) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  float sum = 0;
  for (std::int64_t part = 0; part < partial_count; ++part) sum += partials[part * count + i];
  to[i] = add ? to[i] + sum : sum;
}

}  // namespace

void copy(CudaStream stream, DType to_dtype, void* to, DType from_dtype, const void* from, std::int64_t count,
          bool add) {
  const Shape shape{1, 1, 1, count};
  elementwise::cuda::map("conv2d copy", stream, elementwise::Copy{}, {from, from_dtype, shape},
                         {to, to_dtype, shape}, add);
}

void round_through_bf16(CudaStream stream, float* to, const float* from, std::int64_t count) {
  const Shape shape{1, 1, 1, count};
  elementwise::cuda::map("conv2d copy", stream, elementwise::RoundToBf16{}, {from, DType::F32, shape},
                         {to, DType::F32, shape}, false);
}

void sum_partials(CudaStream stream, const float* partials, std::int64_t partial_count, std::int64_t count,
                  float* to, bool add) {
  launch("conv2d sum_partials", sum_partials_kernel, blocks_for(count, kThreads), kThreads, 0, stream,
         partials, partial_count, count, to, add);
}

std::int64_t column_sum_workspace_bytes(std::int64_t rows, std::int64_t k) {
  return row_blocks(rows) * k * 4;
}

void column_sum(CudaStream stream, DType dtype, const void* dy, std::int64_t rows, std::int64_t k, float* db,
                bool add, void* workspace) {
  auto* partial = static_cast<float*>(workspace);
  const dim3 grid(blocks_for(rows, rows_per_block(rows)), blocks_for(k, kLanes));
  visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    launch("conv2d column_sum", column_sum_kernel<T>, grid, dim3(kLanes, kRowLanes), 0, stream,
           static_cast<const T*>(dy), rows, rows_per_block(rows), k, partial);
  });
  sum_partials(stream, partial, row_blocks(rows), k, db, add);
}

}  // namespace chiaro::conv2d::cuda
