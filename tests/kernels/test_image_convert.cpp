#include <limits>

#include "kernels/elementwise/image_convert.hpp"
#include "kernels/elementwise/image_convert_reference.hpp"
#include "tests/kernels/op_testing.hpp"

namespace chiaro {
using namespace testing;

TEST_CASE("image_convert: every byte survives the way to a tensor and back") {
  const Shape s = {2, 16, 8, 3};
  std::vector<std::uint8_t> bytes(s.count()), back(s.count());
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  Context context(2);
  const auto check = [&](auto zero) {
    std::vector<decltype(zero)> x(s.count());
    image_convert::to_tensor(context, bytes.data(), view(x, s));
    CHECK(float(x[255]) == 255.f);
    image_convert::to_bytes(context, view(x, s), back.data());
    CHECK(back == bytes);
  };
  check(float{});
  check(bf16{});
}

TEST_CASE("image_convert: values are clamped and rounded to nearest") {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> x = {-1,      -inf,   NAN,    0.5f, 1.5f, 0.49999997f,
                          254.49f, 254.5f, 255.4f, 300,  inf,  2.500001f};
  std::vector<std::uint8_t> bytes(12), expected = {0, 0, 0, 0, 2, 0, 254, 254, 255, 255, 255, 3};
  Context context(1);
  image_convert::to_bytes(context, view(x, {1, 2, 2, 3}), bytes.data());
  CHECK(bytes == expected);
}

TEST_CASE("image_convert: random values match the reference") {
  const Shape s = {1, 67, 83, 3};
  const auto x = random_values<float>(s.count(), 1, -50, 300);
  std::vector<std::uint8_t> expected(s.count());
  image_convert::reference::to_bytes(x.data(), s.count(), expected.data());
  CHECK(run_with_any_threads([&](Context& context) {
          std::vector<std::uint8_t> bytes(s.count());
          image_convert::to_bytes(context, view(x, s), bytes.data());
          return bytes;
        }) == expected);
}

TEST_CASE("image_convert: wrong arguments are refused") {
  Context context(1);
  std::vector<float> x(16);
  std::vector<std::uint8_t> bytes(16);
  CHECK(error_of([&] {
          image_convert::to_bytes(context, view(x, {1, 2, 2, 4}), bytes.data());
        }) == "image_convert: tensor (1,2,2,4) has 4 channels, expected 3");
}

}  // namespace chiaro
