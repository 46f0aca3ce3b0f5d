#include "kernels/pool/max_pool_cuda.hpp"
#include "kernels/pool/max_pool_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

TEST_CASE_TEMPLATE("max_pool cuda: integers with many ties, exactly as the plain loops", T, float, bf16) {
  struct Case {
    Shape shape;
    max_pool::Attributes attributes;
  };
  const std::vector<Case> cases = {{{2, 6, 8, 3}, {}},
                                   {{1, 7, 9, 16}, {}},
                                   {{2, 11, 10, 8}, {3, 2, 1, 1, 1, 1}},
                                   {{1, 9, 7, 5}, {3, 2, 0, 0, 1, 1}},
                                   {{1, 6, 6, 4}, {3, 1, 2, 2, 2, 2}},
                                   {{1, 9, 9, 2}, {2, 3, 0, 1, 1, 0}}};
  for (const Case& k : cases)
    for (const std::int64_t offset : {0, 1}) {
      const Shape &s = k.shape, o = max_pool::output_shape(s, k.attributes);
      INFO(to_string(s), ", window ", k.attributes.window, ", offset ", offset);
      auto x = integer_values<T>(s.count(), 1, 0, 2);
      x[7] = T(std::nanf(""));
      x[11] = T(-HUGE_VALF);
      const auto g = integer_values<T>(o.count(), 2), old = integer_values<T>(s.count(), 3);
      std::vector<T> y(o.count()), dx(s.count()), sum = old;
      max_pool::reference::forward(x.data(), s, y.data(), k.attributes);
      max_pool::reference::backward(x.data(), s, g.data(), dx.data(), false, k.attributes);
      max_pool::reference::backward(x.data(), s, g.data(), sum.data(), true, k.attributes);
      check_every_schedule([&] {
        DeviceArray<T> in(x, offset), out(o.count(), offset), dy(g, offset), grad(s.count(), offset),
            added(old, offset);
        max_pool::cuda::forward(nullptr, in.view(s), out.view(o), k.attributes);
        const auto found = out.host();
        for (std::int64_t i = 0; i < o.count(); ++i)
          REQUIRE(
              (float(found[i]) == float(y[i]) || (std::isnan(float(found[i])) && std::isnan(float(y[i])))));
        max_pool::cuda::backward(nullptr, in.view(s), out.view(o), dy.view(o), grad.view(s), false,
                                 k.attributes);
        max_pool::cuda::backward(nullptr, in.view(s), out.view(o), dy.view(o), added.view(s), true,
                                 k.attributes);
        CHECK(convert<float>(grad.host()) == convert<float>(dx));
        CHECK(convert<float>(added.host()) == convert<float>(sum));
        return Bits() << out << grad << added;
      });
    }
}

TEST_CASE_TEMPLATE("max_pool cuda: the mask of a ReLU before it, exactly as the plain loops", T, float,
                   bf16) {
  struct Case {
    Shape shape;
    max_pool::Attributes attributes;
  };
  const std::vector<Case> cases = {
      {{2, 6, 8, 3}, {}}, {{1, 7, 9, 16}, {}}, {{2, 11, 10, 8}, {3, 2, 1, 1, 1, 1}}};
  for (const Case& k : cases)
    for (const std::int64_t offset : {0, 1}) {
      const Shape &s = k.shape, o = max_pool::output_shape(s, k.attributes);
      INFO(to_string(s), ", window ", k.attributes.window, ", offset ", offset);
      auto x = integer_values<T>(s.count(), 1, -6, 2);  // many windows without a positive element
      for (T& v : x) v = float(v) < 0 ? T(0.0f) : v;
      x[7] = T(std::nanf(""));
      const auto g = integer_values<T>(o.count(), 2), old = integer_values<T>(s.count(), 3);
      std::vector<T> y(o.count()), dx(s.count()), sum = old, open(s.count());
      max_pool::reference::forward(x.data(), s, y.data(), k.attributes);
      max_pool::reference::backward(x.data(), s, g.data(), open.data(), false, k.attributes);
      max_pool::reference::backward(x.data(), s, g.data(), dx.data(), false, k.attributes, true);
      max_pool::reference::backward(x.data(), s, g.data(), sum.data(), true, k.attributes, true);
      CHECK(convert<float>(open) != convert<float>(dx));
      check_every_schedule([&] {
        DeviceArray<T> in(x, offset), out(y, offset), dy(g, offset), grad(s.count(), offset),
            added(old, offset);
        for (const auto& [to, accumulate] : {std::pair(&grad, false), std::pair(&added, true)})
          max_pool::cuda::backward(nullptr, in.view(s), out.view(o), dy.view(o), to->view(s), accumulate,
                                   k.attributes, true);
        CHECK(convert<float>(grad.host()) == convert<float>(dx));
        CHECK(convert<float>(added.host()) == convert<float>(sum));
        return Bits() << grad << added;
      });
    }
}

}  // namespace chiaro::emulated
