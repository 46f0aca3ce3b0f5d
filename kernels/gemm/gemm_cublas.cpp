// cuBLAS is column-major: it is given the transposed product, C^T = op(B)^T * op(A)^T, of the same arrays.
#include "kernels/cuda/cublas_library.hpp"
#include "kernels/cuda/device_context.hpp"
#include "kernels/cuda/profiler_range.hpp"
#include "kernels/gemm/gemm.hpp"

namespace chiaro::gemm::cublas {

namespace {

cudaDataType type_of(DType dtype) {
  return dtype == DType::F32 ? CUDA_R_32F : CUDA_R_16BF;
}

cublasOperation_t operation(const Input& x) {
  return x.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
}

}  // namespace

std::string supports(const Args& args) {
  if (args.a.dtype != args.b.dtype) return "cublas: A and B must have one dtype";
  if (args.a.dtype == DType::F32 && args.c.dtype != DType::F32) return "cublas: fp32 A and B need an fp32 C";
  return "";
}

void run(Context& context, const Args& args) {
  const chiaro::cuda::ProfilerRange range("gemm");
  const bool fp32 = args.a.dtype == DType::F32;
  // Pedantic: plain fp32 arithmetic, whatever the environment allows cuBLAS to replace it by.
  const auto compute = !fp32            ? CUBLAS_COMPUTE_32F
                       : context.tf32() ? CUBLAS_COMPUTE_32F_FAST_TF32
                                        : CUBLAS_COMPUTE_32F_PEDANTIC;
  const auto status = chiaro::cublas::library().gemm_ex(
      context.cuda().cublas(), operation(args.b), operation(args.a), args.n, args.m, args.k, &args.alpha,
      args.b.data, type_of(args.b.dtype), args.b.leading_dimension, args.a.data, type_of(args.a.dtype),
      args.a.leading_dimension, &args.beta, args.c.data, type_of(args.c.dtype), args.c.leading_dimension,
      compute, CUBLAS_GEMM_DEFAULT);
  chiaro::cublas::check(status, "multiply matrices");
}

}  // namespace chiaro::gemm::cublas
