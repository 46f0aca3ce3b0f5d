// dnnl_sgemm for fp32; matmul primitives, kept for the sizes seen last, for bf16.
#include <map>
#include <tuple>

#include "kernels/base/cpu_features.hpp"
#include "kernels/base/onednn.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/gemm/gemm.hpp"

namespace chiaro::gemm::onednn {

namespace {

void run_sgemm(const Args& args) {
  const auto status =
      dnnl_sgemm(args.a.transposed ? 'T' : 'N', args.b.transposed ? 'T' : 'N', args.m, args.n, args.k,
                 args.alpha, static_cast<const float*>(args.a.data), args.a.leading_dimension,
                 static_cast<const float*>(args.b.data), args.b.leading_dimension, args.beta,
                 static_cast<float*>(args.c.data), args.c.leading_dimension);
  require(status == dnnl_success, "gemm: dnnl_sgemm failed with status {}", static_cast<int>(status));
}

dnnl::memory::desc matrix(std::int64_t rows, std::int64_t columns, DType dtype,
                          std::int64_t leading_dimension, bool transposed) {
  const dnnl::memory::dims strides =
      transposed ? dnnl::memory::dims{1, leading_dimension} : dnnl::memory::dims{leading_dimension, 1};
  return {{rows, columns}, chiaro::onednn::data_type(dtype), strides};
}

chiaro::onednn::Call make_matmul(const Args& args) {
  const auto a = matrix(args.m, args.k, args.a.dtype, args.a.leading_dimension, args.a.transposed);
  const auto b = matrix(args.k, args.n, args.b.dtype, args.b.leading_dimension, args.b.transposed);
  const auto c = matrix(args.m, args.n, args.c.dtype, args.c.leading_dimension, false);
  dnnl::post_ops ops;
#if DNNL_VERSION_MAJOR >= 3
  if (args.alpha != 1.f) ops.append_eltwise(dnnl::algorithm::eltwise_linear, args.alpha, 0.f);
#else
  if (args.alpha != 1.f) ops.append_eltwise(1.f, dnnl::algorithm::eltwise_linear, args.alpha, 0.f);
#endif
  if (args.beta != 0.f) ops.append_sum(args.beta);
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc descriptor(chiaro::onednn::engine(), a, b, c, attr);
#else
  const dnnl::matmul::primitive_desc descriptor(dnnl::matmul::desc(a, b, c), attr, chiaro::onednn::engine());
#endif
  return {dnnl::matmul(descriptor), {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}}};
}

auto key_of(const Args& args) {
  return std::tuple(args.m, args.n, args.k, args.a.leading_dimension, args.b.leading_dimension,
                    args.c.leading_dimension, args.a.transposed, args.b.transposed, args.c.dtype, args.alpha,
                    args.beta);
}

void run_matmul(const Args& args) {
  constexpr std::size_t kCacheSize = 64;
  // Per thread: a primitive's scratchpad serves one call at a time.
  thread_local std::map<decltype(key_of(args)), chiaro::onednn::Call> cache;
  const auto key = key_of(args);
  auto found = cache.find(key);
  if (found == cache.end()) {
    if (cache.size() >= kCacheSize) cache.clear();
    found = cache.emplace(key, make_matmul(args)).first;
  }
  found->second.run({args.a.data, args.b.data, args.c.data});
}

}  // namespace

std::string supports(const Args& args) {
  const bool fp32 = args.a.dtype == DType::F32 && args.b.dtype == DType::F32;
  const bool bf16 = args.a.dtype == DType::BF16 && args.b.dtype == DType::BF16;
  if (fp32 && args.c.dtype == DType::F32) return "";
  if (!bf16) return "onednn: A and B must both be fp32 with an fp32 C, or both bf16";
  if (!cpu_features().avx512_bf16) return "onednn: bf16 needs AVX-512-BF16";
  return "";
}

void run_tile(const Args& args) {
  const SingleThread guard;
  if (args.a.dtype == DType::F32) return run_sgemm(args);
  run_matmul(args);
}

}  // namespace chiaro::gemm::onednn
