// Kernels that make each element from the same element of their inputs.
#include "kernels/elementwise/image_convert_cuda.hpp"
#include "kernels/elementwise/image_convert_reference.hpp"
#include "kernels/elementwise/map.hpp"
#include "tests/kernels/elementwise_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

using namespace elementwise;
namespace reference = elementwise::reference;

namespace {

// Not a multiple of any vector, more than one block of threads.
constexpr Shape kShape{2, 29, 31, 3};
constexpr std::int64_t kCount = kShape.count();

// Calls f(offset) with arrays that are aligned and with arrays that are not.
template <class F>
void with_offsets(F&& f) {
  for (const std::int64_t offset : {0, 1}) {
    INFO("offset ", offset);
    f(offset);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("relu cuda: equals the plain loops, also in place and with NaN", T, float, bf16) {
  auto x = integer_values<T>(kCount, 1);
  x[5] = T(std::nanf(""));
  const auto g = integer_values<T>(kCount, 2), old = integer_values<T>(kCount, 3);
  auto y = reference::relu(x);
  const auto dx = reference::relu_gradient(y, g);
  with_offsets([&](std::int64_t offset) {
    check_every_schedule([&] {
      DeviceArray<T> in(x, offset), out(kCount, offset), dy(g, offset), grad(old, offset);
      elementwise::cuda::map("relu_forward", nullptr, Relu{}, in.view(kShape), out.view(kShape), false);
      elementwise::cuda::map("relu_forward", nullptr, Relu{}, in.view(kShape), in.view(kShape), false);
      auto found = out.host();
      CHECK(same_bits(in.host(), found));
      CHECK(std::isnan(float(found[5])));
      found[5] = y[5] = T(0.0f);
      CHECK(max_error(convert<double>(y), found) == 0);
      elementwise::cuda::map("relu_backward", nullptr, ReluGradient{}, out.view(kShape), dy.view(kShape),
                             grad.view(kShape), true);
      elementwise::cuda::map("relu_backward", nullptr, ReluGradient{}, out.view(kShape), dy.view(kShape),
                             dy.view(kShape), false);
      CHECK(max_error(sum_of(old, dx), grad.host()) == 0);
      CHECK(max_error(convert<double>(dx), dy.host()) == 0);
      return Bits() << out << grad << dy;
    });
  });
  DeviceArray<T> in(x);
  CHECK(launches_of([&] {
          elementwise::cuda::map("relu_forward", nullptr, Relu{}, in.view(kShape), in.view(kShape), false);
        }) == std::vector<std::string>{"relu_forward"});
}

TEST_CASE_TEMPLATE("copy cuda: copies and adds, between the types too", T, float, bf16) {
  const auto x = integer_values<T>(kCount, 1);
  const auto old = integer_values<float>(kCount, 2);
  with_offsets([&](std::int64_t offset) {
    check_every_schedule([&] {
      DeviceArray<T> in(x, offset), out(kCount, offset);
      DeviceArray<float> copy(kCount, offset), sum(old, offset);
      elementwise::cuda::map("copy", nullptr, Copy{}, in.view(kShape), out.view(kShape), false);
      elementwise::cuda::map("copy", nullptr, Copy{}, in.view(kShape), copy.view(kShape), false);
      elementwise::cuda::map("copy", nullptr, Copy{}, in.view(kShape), sum.view(kShape), true);
      CHECK(same_bits(out.host(), x));
      CHECK(max_error(convert<double>(x), copy.host()) == 0);
      CHECK(max_error(sum_of(x, old), sum.host()) == 0);
      return Bits() << out << copy << sum;
    });
  });
  DeviceArray<T> in(x), out(kCount);
  CHECK(launches_of([&] {
          elementwise::cuda::map("copy", nullptr, Copy{}, in.view(kShape), out.view(kShape), false);
        }) == std::vector<std::string>{"copy"});
}

TEST_CASE_TEMPLATE("tanh_output cuda: within rounding of the formula", T, float, bf16) {
  using U = std::conditional_t<std::is_same_v<T, float>, bf16, float>;  // the other type
  const auto x = normal_values<T>(kCount, 1), g = normal_values<T>(kCount, 2),
             old = normal_values<T>(kCount, 3);
  const auto y = reference::tanh_output(convert<double>(x));
  const auto plain_y = reference::tanh_output(x);
  with_offsets([&](std::int64_t offset) {
    for (const bool accumulate : {false, true}) {
      check_every_schedule([&] {
        DeviceArray<T> in(x, offset), out(kCount, offset), dy(g, offset), grad(old, offset);
        elementwise::cuda::map("tanh_output_forward", nullptr, TanhOutput{}, in.view(kShape),
                               out.view(kShape), false);
        check_close(y, out.host(), plain_y, 1);
        elementwise::cuda::map("tanh_output_backward", nullptr, TanhOutputGradient{}, out.view(kShape),
                               dy.view(kShape), grad.view(kShape), accumulate);
        const auto dx = reference::tanh_output_gradient(convert<double>(out.host()), convert<double>(g));
        const auto plain = convert<T>(convert<float>(dx));
        const auto plain_dx = accumulate ? convert<T>(convert<float>(sum_of(dx, old))) : plain;
        check_close(accumulate ? sum_of(dx, old) : dx, grad.host(), plain_dx, 1);
        return Bits() << out << grad;
      });
    }
  });
  DeviceArray<T> in(x), out(kCount);
  DeviceArray<U> other(kCount);
  elementwise::cuda::map("tanh_output_forward", nullptr, TanhOutput{}, in.view(kShape), out.view(kShape),
                         false);
  elementwise::cuda::map("tanh_output_forward", nullptr, TanhOutput{}, in.view(kShape), other.view(kShape),
                         false);
  if constexpr (std::is_same_v<T, float>)
    CHECK(same_bits(other.host(), convert<bf16>(out.host())));
  else
    CHECK(same_bits(convert<bf16>(other.host()), out.host()));
}

TEST_CASE_TEMPLATE("channel_affine cuda: integers exactly, any number of channels, mixed types", T, float,
                   bf16) {
  for (const std::int64_t channels : {1, 3, 5, 16}) {
    const Shape s{2, 9, 7, channels};
    const auto x = integer_values<T>(s.count(), 1), old = integer_values<T>(s.count(), 2);
    const auto mean = integer_values<float>(channels, 3), scale = integer_values<float>(channels, 4, 1, 3);
    const auto y =
        reference::channel_affine(convert<double>(x), convert<double>(mean), convert<double>(scale));
    const auto dx =
        sum_of(reference::channel_affine_gradient(convert<double>(x), convert<double>(scale)), old);
    with_offsets([&](std::int64_t offset) {
      check_every_schedule([&] {
        DeviceArray<T> in(x, offset), grad(old, offset);
        DeviceArray<float> m(mean), k(scale), out(s.count(), offset);
        elementwise::cuda::map_channels("channel_affine_forward", nullptr, ChannelAffine{}, in.view(s),
                                        m.data(), k.data(), out.view(s), false);
        elementwise::cuda::map_channels("channel_affine_backward", nullptr, ChannelAffineGradient{},
                                        in.view(s), k.data(), k.data(), grad.view(s), true);
        CHECK(max_error(y, out.host()) == 0);
        CHECK(max_error(dx, grad.host()) == 0);
        return Bits() << out << grad;
      });
    });
  }
}

TEST_CASE_TEMPLATE("image_convert cuda: all bytes there and back, halves, limits and NaN", T, float, bf16) {
  const Shape s{1, 9, 29, 3};
  std::vector<std::uint8_t> bytes(s.count());
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  std::vector<T> values(s.count());
  for (std::int64_t i = 0; i < s.count(); ++i) values[i] = T(float(i - 200) * 0.5f);
  values[3] = T(std::nanf("")), values[4] = T(1e30f), values[5] = T(-1e30f);
  std::vector<std::uint8_t> expected(s.count());
  image_convert::reference::to_bytes(values.data(), s.count(), expected.data());
  with_offsets([&](std::int64_t offset) {
    check_every_schedule([&] {
      DeviceArray<std::uint8_t> rgb(bytes, offset), out(s.count(), offset);
      DeviceArray<T> tensor(s.count(), offset), x(values, offset);
      image_convert::cuda::to_tensor(nullptr, rgb.data(), tensor.view(s));
      CHECK(max_error(std::vector<double>(bytes.begin(), bytes.end()), tensor.host()) == 0);
      image_convert::cuda::to_bytes(nullptr, tensor.view(s), out.data());
      CHECK(out.host() == bytes);
      image_convert::cuda::to_bytes(nullptr, x.view(s), out.data());
      CHECK(out.host() == expected);
      return Bits() << tensor << out;
    });
  });
}

}  // namespace chiaro::emulated
