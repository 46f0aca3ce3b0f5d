// The small kernels around convolutions on a GPU.
#include "benchmarks/kernel_cases/cases.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/conv2d/sums_cuda.hpp"
#include "kernels/cuda/device.hpp"

namespace chiaro::bench {

void add_cuda_cases(std::vector<Case>& cases, std::int64_t batch) {
  if constexpr (kHaveCuda) {
    const std::int64_t rows = batch * 64 * 64, k = 128, weights = 128 * 3 * 3 * 128;
    cases.push_back({"bias gradient", false, [=](Workbench& bench, DType dtype) -> Work {
                       const TensorView dy = bench.tensor({1, 1, rows, k}, dtype);
                       float* db = bench.floats(k);
                       void* workspace = bench.block(conv2d::cuda::column_sum_workspace_bytes(rows, k));
                       return {.shape = fmt::format("{} rows of {}", rows, k),
                               .bytes = static_cast<double>(dy.bytes()),
                               .run = [=, &bench] {
                                 conv2d::cuda::column_sum(cuda::stream_of(bench.context()), dtype, dy.data,
                                                          rows, k, db, false, workspace);
                               }};
                     }});
    cases.push_back({"weights to working copy", false, [=](Workbench& bench, DType dtype) -> Work {
                       const float* from = bench.floats(weights);
                       void* to = bench.block(weights * size_of(dtype));
                       return {.shape = "128x3x3x128",
                               .bytes = static_cast<double>(weights * (4 + size_of(dtype))),
                               .run = [=, &bench] {
                                 conv2d::cuda::copy(cuda::stream_of(bench.context()), dtype, to, DType::F32,
                                                    from, weights);
                               }};
                     }});
  }
}

}  // namespace chiaro::bench
