// One row-major matrix product.
//   C = alpha * op(A) * op(B) + beta * C        op(X) = X or its transpose
// Layout: A: M x K (stored K x M when transposed), B: K x N (stored N x K when transposed), C: M x N.
//   Leading dimensions are the distances between stored rows, in elements. fp32 or bf16 each.
//   With beta = 0 the old C is not read.
// Sums: products are added in fp32 and C is rounded once.
// Deterministic: with any number of threads; C is cut into fixed tiles, each computed by one thread.
// Threads: may be called from inside a parallel loop, where it runs on the calling thread.
// Implementations: onednn (fp32 matrices; bf16 A and B where the CPU multiplies bf16), widened (any types, by
//   way of fp32), reference (anything). On CUDA devices cublas, for A and B of one dtype, with an fp32 C
//   beside fp32: the pointers are the device's and the call returns before it has run. fp32 there is strict
//   unless the context allows TF32.
#pragma once
#include <string>

#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::gemm {

struct Input {
  const void* data = nullptr;
  DType dtype = DType::F32;
  std::int64_t leading_dimension = 0;
  bool transposed = false;
};

struct Output {
  void* data = nullptr;
  DType dtype = DType::F32;
  std::int64_t leading_dimension = 0;
};

struct Args {
  std::int64_t m = 0, n = 0, k = 0;
  Input a, b;
  Output c;
  float alpha = 1.f, beta = 0.f;
};

// Throws Error on impossible sizes, on null pointers and when CHIARO_IMPL forces an entry that declines.
void run(Context& context, const Args& args);

// Name of the implementation that run() takes for these sizes and types on the CPU.
const char* implementation(const Args& args);

namespace onednn {
std::string supports(const Args& args);  // "" = yes, else the reason
void run_tile(const Args& args);         // on the calling thread
}  // namespace onednn

namespace widened {
std::string supports(const Args& args);
void run_tile(const Args& args);
}  // namespace widened

namespace cublas {
std::string supports(const Args& args);  // "" = yes, else the reason
void run(Context& context, const Args& args);
}  // namespace cublas

}  // namespace chiaro::gemm
