// The small kernels around cuDNN's convolutions: conversions, additions, and the bias gradient's column sums.
#include "kernels/conv2d/sums_cuda.hpp"
#include "tests/kernels_emulated/emulated.hpp"

using namespace chiaro;
using chiaro::emulated::Bits;
using chiaro::emulated::check_every_schedule;
using chiaro::emulated::DeviceArray;
using chiaro::test::same_bits;

namespace {

template <class T>
std::vector<T> values(std::int64_t count, unsigned seed, bool integers = false) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> integer(-3, 3);
  std::vector<T> v(static_cast<std::size_t>(count));
  for (T& e : v) e = T(integers ? static_cast<float>(integer(random)) : normal(random));
  return v;
}

// Counts around the 8 elements of a thread and the 2048 of a block.
constexpr std::int64_t kCounts[] = {1, 7, 8, 9, 2047, 2048, 2049, 5000};

template <class To, class From>
void check_assign() {
  for (const std::int64_t count : kCounts)
    for (const bool add : {false, true}) {
      CAPTURE(count);
      CAPTURE(add);
      const auto from = values<From>(count, 1);
      const auto old = values<To>(count, 2);
      std::vector<To> expected(old.size());
      for (std::size_t i = 0; i < old.size(); ++i)
        expected[i] = To(add ? float(from[i]) + float(old[i]) : float(from[i]));
      check_every_schedule([&] {
        const DeviceArray<From> source(from);
        const DeviceArray<To> target(old);
        conv2d::cuda::copy(nullptr, dtype_of<To>, target.data(), dtype_of<From>, source.data(), count, add);
        CHECK(same_bits(target.host(), expected));
        return Bits() << target;
      });
    }
}

template <class T>
void check_column_sum(std::int64_t rows, std::int64_t k, bool add) {
  CAPTURE(rows);
  CAPTURE(k);
  const auto dy = values<T>(rows * k, 3, true);
  const auto old = values<float>(k, 4, true);
  std::vector<float> expected = add ? old : std::vector<float>(old.size());
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t c = 0; c < k; ++c)
      expected[static_cast<std::size_t>(c)] += float(dy[static_cast<std::size_t>(row * k + c)]);
  check_every_schedule([&] {
    const DeviceArray<T> gradient(dy);
    const DeviceArray<float> db(old),
        workspace(conv2d::cuda::column_sum_workspace_bytes(rows, k) / std::int64_t{sizeof(float)});
    conv2d::cuda::column_sum(nullptr, dtype_of<T>, gradient.data(), rows, k, db.data(), add,
                             workspace.data());
    CHECK(same_bits(db.host(), expected));
    return Bits() << db;
  });
}

}  // namespace

TEST_CASE("conv2d copy: converts and adds every element once, rounded once") {
  check_assign<float, float>();
  check_assign<bf16, float>();
  check_assign<float, bf16>();
  check_assign<bf16, bf16>();
}

TEST_CASE("conv2d copy: fp32 values are rounded to bf16 and stay fp32") {
  const auto from = values<float>(3000, 5);
  std::vector<float> expected;
  for (const float v : from) expected.push_back(float(bf16(v)));
  const DeviceArray<float> source(from), target(3000);
  conv2d::cuda::round_through_bf16(nullptr, target.data(), source.data(), 3000);
  CHECK(same_bits(target.host(), expected));
}

TEST_CASE("conv2d copy: unaligned arrays too") {
  const auto from = values<float>(65, 1);
  const DeviceArray<float> source(from, 1), target(65, 1);
  conv2d::cuda::copy(nullptr, DType::F32, target.data(), DType::F32, source.data(), 65);
  CHECK(same_bits(target.host(), from));
}

TEST_CASE("conv2d column_sum: exact on integers, for few and many rows and channels") {
  for (const bool add : {false, true}) {
    check_column_sum<float>(1, 1, add);
    check_column_sum<float>(513, 3, add);
    check_column_sum<bf16>(1300, 33, add);
    check_column_sum<bf16>(70, 64, add);
  }
}
