#include "kernels/base/build_config.hpp"
#include "kernels/base/settings.hpp"
#include "kernels/gemm/gemm.hpp"
#include "kernels/gemm/gemm_reference.hpp"
#include "tests/kernels/op_testing.hpp"
#include "tests/support/forced_implementation.hpp"

namespace chiaro {
using namespace testing;
using test::ForcedImplementation;

namespace {

struct Case {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
  float alpha, beta;
};

// All matrices have padding columns, which must not be written.
template <class A, class C>
void check_exact(const Case& s) {
  const std::int64_t lda = (s.transpose_a ? s.m : s.k) + 3, ldb = (s.transpose_b ? s.k : s.n) + 1,
                     ldc = s.n + 2;
  const auto a = integer_values<A>((s.transpose_a ? s.k : s.m) * lda, 1);
  const auto b = integer_values<A>((s.transpose_b ? s.n : s.k) * ldb, 2);
  const auto c = integer_values<C>(s.m * ldc, 3);
  const auto args_for = [&](const void* pa, const void* pb, void* pc) {
    gemm::Args args;
    args.m = s.m, args.n = s.n, args.k = s.k, args.alpha = s.alpha, args.beta = s.beta;
    args.a = {pa, dtype_of<A>, lda, s.transpose_a};
    args.b = {pb, dtype_of<A>, ldb, s.transpose_b};
    args.c = {pc, dtype_of<C>, ldc};
    return args;
  };
  auto exact = convert<double>(c);
  gemm::reference::run(args_for(nullptr, nullptr, nullptr), convert<double>(a).data(),
                       convert<double>(b).data(), exact.data());
  const auto found = run_with_any_threads([&](Context& context) {
    auto result = c;
    gemm::run(context, args_for(a.data(), b.data(), result.data()));
    return result;
  });
  CHECK(same_bits(found, convert<C>(convert<float>(exact))));
}

}  // namespace

TEST_CASE("gemm: exact on integers") {
  for (const Case& s : {Case{5, 7, 3, false, false, 1, 0}, Case{64, 48, 100, true, false, 1, 0},
                        Case{33, 65, 129, false, true, 2, 1}, Case{300, 270, 31, true, true, -1, 1},
                        Case{16, 16, 1024, true, false, 1, 1}, Case{1, 1, 1, false, false, 2, -1}}) {
    CAPTURE(s.m);
    check_exact<float, float>(s);
    check_exact<bf16, float>(s);
    check_exact<bf16, bf16>(s);
    check_exact<float, bf16>(s);
  }
}

TEST_CASE("gemm: random fp32 is within the error of a plain sum") {
  const std::int64_t m = 70, n = 90, k = 2000;
  const auto a = random_values<float>(m * k, 1), b = random_values<float>(k * n, 2);
  gemm::Args args;
  args.m = m, args.n = n, args.k = k;
  args.a = {a.data(), DType::F32, k, false};
  args.b = {b.data(), DType::F32, n, false};
  args.c = {nullptr, DType::F32, n};
  std::vector<double> exact(m * n);
  gemm::reference::run(args, convert<double>(a).data(), convert<double>(b).data(), exact.data());
  const auto found = run_with_any_threads([&](Context& context) {
    std::vector<float> c(m * n, NAN);
    args.c.data = c.data();
    gemm::run(context, args);
    return c;
  });
  CHECK(nmse(exact, found) <= 1e-15 * double(k));
}

TEST_CASE("gemm: every implementation is exact on integers") {
  std::vector<std::string> names = {"reference"};
  if (kHaveOneDnn) names.push_back("widened");
  for (const std::string& name : names) {
    CAPTURE(name);
    const ForcedImplementation force("gemm:" + name);
    for (const Case& s : {Case{5, 7, 3, false, false, 1, 0}, Case{33, 65, 129, false, true, 2, 1},
                          Case{300, 270, 300, true, false, -1, 1}}) {
      check_exact<bf16, float>(s);
      check_exact<bf16, bf16>(s);
      check_exact<float, bf16>(s);
    }
  }
}

TEST_CASE("gemm: wrong arguments and forced implementations") {
  Context context(1);
  std::vector<float> x(4);
  gemm::Args args;
  args.m = args.n = args.k = 2;
  args.a = args.b = {x.data(), DType::F32, 2, false};
  args.c = {x.data(), DType::F32, 1};
  CHECK(error_of([&] { gemm::run(context, args); }) ==
        "gemm: leading dimension 1 of C is below its 2 columns");
  args.c.leading_dimension = 2;
  args.a.data = nullptr;
  CHECK(error_of([&] { gemm::run(context, args); }) == "gemm: null pointer for A");
  CHECK(std::string(gemm::implementation(args)) == (kHaveOneDnn ? "onednn" : "reference"));
  settings().implementations = "gemm:reference";
  CHECK(std::string(gemm::implementation(args)) == "reference");
  settings().implementations = "gemm:magic";
  CHECK(error_of([&] {
          gemm::implementation(args);
        }).starts_with("CHIARO_IMPL=gemm:magic: no such implementation"));
  if (kHaveOneDnn) {
    settings().implementations = "gemm:onednn";
    args.b.dtype = DType::BF16;
    CHECK(
        error_of([&] { gemm::implementation(args); }) ==
        "CHIARO_IMPL=gemm:onednn: 2x2x2 fp32 bf16 to fp32 cannot run: onednn: A and B must both be fp32 with "
        "an fp32 C, or both bf16");
  }
  settings().implementations.clear();
}

}  // namespace chiaro
