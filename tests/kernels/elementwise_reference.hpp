// The formulas of kernels/elementwise/elementwise.hpp in plain loops, written apart from the functors that
// run.
#pragma once
#include <cmath>
#include <vector>

#include "kernels/base/blocks.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::elementwise::reference {

// y[i] = f(x[i]), computed in double for double, else in float, and rounded to T.
template <class T, class F>
std::vector<T> map(const std::vector<T>& x, F&& f) {
  using A = Accumulator<T>;
  std::vector<T> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = T(f(A(x[i])));
  return y;
}
template <class T, class F>
std::vector<T> map(const std::vector<T>& a, const std::vector<T>& b, F&& f) {
  using A = Accumulator<T>;
  std::vector<T> y(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) y[i] = T(f(A(a[i]), A(b[i])));
  return y;
}

template <class T>
std::vector<T> relu(const std::vector<T>& x) {
  return map(x, [](auto v) { return std::isnan(v) || v > 0 ? v : 0; });
}
template <class T>
std::vector<T> relu_gradient(const std::vector<T>& y, const std::vector<T>& dy) {
  return map(y, dy, [](auto v, auto g) { return v > 0 ? g : 0; });
}

template <class T>
std::vector<T> tanh_output(const std::vector<T>& x) {
  return map(x, [](auto v) { return 150 * std::tanh(v) + decltype(v)(127.5); });
}
template <class T>
std::vector<T> tanh_output_gradient(const std::vector<T>& y, const std::vector<T>& dy) {
  return map(y, dy, [](auto v, auto g) {
    const auto t = (v - decltype(v)(127.5)) / 150;
    return 150 * g * (1 - t * t);
  });
}

// NHWC: channels innermost, mean.size() of them.
template <class T>
std::vector<T> channel_affine(const std::vector<T>& x, const std::vector<Accumulator<T>>& mean,
                              const std::vector<Accumulator<T>>& scale) {
  using A = Accumulator<T>;
  std::vector<T> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    y[i] = T((A(x[i]) - mean[i % mean.size()]) * scale[i % mean.size()]);
  return y;
}
template <class T>
std::vector<T> channel_affine_gradient(const std::vector<T>& dy, const std::vector<Accumulator<T>>& scale) {
  return channel_affine(dy, std::vector<Accumulator<T>>(scale.size()), scale);
}

}  // namespace chiaro::elementwise::reference
