#include "kernels/cuda/check.hpp"

#include "kernels/base/error.hpp"

namespace chiaro::cuda {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Error("CUDA: cannot {}: {} ({})", what, cudaGetErrorString(status), cudaGetErrorName(status));
}

}  // namespace chiaro::cuda
