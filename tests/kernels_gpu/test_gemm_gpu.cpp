// cuBLAS behind gemm::run against the plain loops in double.
#include <doctest/doctest.h>

#include "kernels/gemm/gemm.hpp"
#include "kernels/gemm/gemm_reference.hpp"
#include "tests/kernels/op_testing.hpp"
#include "tests/kernels_gpu/device_array.hpp"

using namespace chiaro;
using namespace chiaro::testing;
using chiaro::gpu::DeviceArray;

namespace {

struct Case {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
  float alpha, beta;
};

// All matrices have padding columns, which must not be written.
template <class A, class C>
void check_exact(Context& context, const Case& s) {
  const std::int64_t lda = (s.transpose_a ? s.m : s.k) + 3, ldb = (s.transpose_b ? s.k : s.n) + 1,
                     ldc = s.n + 2;
  const auto a = integer_values<A>((s.transpose_a ? s.k : s.m) * lda, 1);
  const auto b = integer_values<A>((s.transpose_b ? s.n : s.k) * ldb, 2);
  const auto c = integer_values<C>(s.m * ldc, 3);
  const auto args_for = [&](const void* pa, const void* pb, void* pc) {
    gemm::Args args{.m = s.m, .n = s.n, .k = s.k, .alpha = s.alpha, .beta = s.beta};
    args.a = {pa, dtype_of<A>, lda, s.transpose_a};
    args.b = {pb, dtype_of<A>, ldb, s.transpose_b};
    args.c = {pc, dtype_of<C>, ldc};
    return args;
  };
  auto exact = convert<double>(c);
  gemm::reference::run(args_for(nullptr, nullptr, nullptr), convert<double>(a).data(),
                       convert<double>(b).data(), exact.data());
  const DeviceArray da(context, a), db(context, b), dc(context, c);
  gemm::run(context, args_for(da.data(), db.data(), dc.data()));
  CHECK(convert<float>(dc.host<C>()) == convert<float>(convert<C>(convert<float>(exact))));
}

}  // namespace

TEST_CASE("gemm on the GPU: exact on integers in every precision") {
  Context context(Device::Cuda, 2);
  for (const bool tf32 : {false, true}) {
    context.allow_tf32(tf32);
    for (const Case& s : {Case{5, 7, 3, false, false, 1, 0}, Case{64, 48, 100, true, false, 1, 0},
                          Case{33, 65, 129, false, true, 2, 1}, Case{300, 270, 31, true, true, -1, 1},
                          Case{64, 64, 4096, true, false, 1, 1}, Case{1, 1, 1, false, false, 2, -1}}) {
      CAPTURE(s.m);
      check_exact<float, float>(context, s);
      check_exact<bf16, float>(context, s);
      check_exact<bf16, bf16>(context, s);
    }
  }
}

TEST_CASE("gemm on the GPU: what cuBLAS does not offer is refused") {
  Context context(Device::Cuda, 1);
  float value = 0;
  gemm::Args args{.m = 1, .n = 1, .k = 1};
  args.a = {&value, DType::F32, 1};
  args.b = {&value, DType::BF16, 1};
  args.c = {&value, DType::F32, 1};
  CHECK_THROWS_AS(gemm::run(context, args), Error);
}
