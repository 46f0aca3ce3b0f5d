// Small kernels around convolutions, cuDNN's and ours. Pointers are of device memory, 16-byte aligned;
// everything is queued in the stream. Deterministic.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::conv2d::cuda {

// to[i] = from[i], or to[i] += from[i] with `add`, rounded to `to`'s type. count: elements. to may be from
// where the types are equal.
void copy(CudaStream stream, DType to_dtype, void* to, DType from_dtype, const void* from, std::int64_t count,
          bool add = false);

// to[i] = from[i] rounded to bf16, kept as fp32.
void round_through_bf16(CudaStream stream, float* to, const float* from, std::int64_t count);

// to[i] = sum over part of partials[part,i] in order of part, or added to. partials: (partial_count, count).
void sum_partials(CudaStream stream, const float* partials, std::int64_t partial_count, std::int64_t count,
                  float* to, bool add);

// db[k] = sum over rows of dy[row,k], or added to db. dy: (rows, K). Partial sums of fixed blocks of rows are
// added in order. Workspace: column_sum_workspace_bytes(rows, k).
std::int64_t column_sum_workspace_bytes(std::int64_t rows, std::int64_t k);
void column_sum(CudaStream stream, DType dtype, const void* dy, std::int64_t rows, std::int64_t k, float* db,
                bool add, void* workspace);

}  // namespace chiaro::conv2d::cuda
