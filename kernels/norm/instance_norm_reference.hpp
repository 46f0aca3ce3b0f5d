// Textbook loops for instance_norm.hpp, in the order of its formulas. T: float, double or bf16.
//
// Sums and parameters are double for double, float otherwise. Backward overwrites every gradient, leaves dy
// as it is, and skips dresidual when it is null.
#pragma once
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/norm/instance_norm.hpp"

namespace chiaro::instance_norm::reference {

template <class T>
using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;

// Position of picture element (n,h,w,c) inside the tensor with a border.
inline std::int64_t position(const Shape& s, const Pad& b, std::int64_t n, std::int64_t h, std::int64_t w,
                             std::int64_t c) {
  const Shape outer = b.outer(s);
  return ((n * outer.h + b.top + h) * outer.w + b.left + w) * s.c + c;
}

// Position of the gamma and the beta of a picture's channel.
inline std::int64_t parameter(const Shape& s, const Attributes& attr, std::int64_t n, std::int64_t c) {
  return attr.per_picture ? n * s.c + c : c;
}

template <class T>
void forward(const Shape& s, const T* x, const Real<T>* gamma, const Real<T>* beta, const T* residual, T* y,
             Real<T>* mean, Real<T>* rstd, const Attributes& attr) {
  const Pad none, &out = attr.out_pad;
  const Shape outer = out.outer(s);
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t c = 0; c < s.c; ++c) {
      const auto value = [&](std::int64_t h, std::int64_t w) {
        return Real<T>(x[position(s, none, n, h, w, c)]);
      };
      Real<T> sum = 0, squares = 0;
      for (std::int64_t h = 0; h < s.h; ++h)
        for (std::int64_t w = 0; w < s.w; ++w) sum += value(h, w);
      const Real<T> m = sum / Real<T>(s.pixels());
      for (std::int64_t h = 0; h < s.h; ++h)
        for (std::int64_t w = 0; w < s.w; ++w) squares += (value(h, w) - m) * (value(h, w) - m);
      const Real<T> r = 1 / std::sqrt(squares / Real<T>(s.pixels()) + Real<T>(attr.eps));
      mean[n * s.c + c] = m;
      rstd[n * s.c + c] = r;
      for (std::int64_t i = 0; i < outer.h; ++i)
        for (std::int64_t j = 0; j < outer.w; ++j) {
          const std::int64_t h = pad_source(i, out.top, s.h, out.mode),
                             w = pad_source(j, out.left, s.w, out.mode);
          Real<T> z =
              gamma[parameter(s, attr, n, c)] * (value(h, w) - m) * r + beta[parameter(s, attr, n, c)];
          if (attr.relu && z < 0) z = 0;
          if (residual) z += Real<T>(residual[position(s, attr.residual_pad, n, h, w, c)]);
          y[((n * outer.h + i) * outer.w + j) * s.c + c] = T(z);
        }
    }
}

template <class T>
void backward(const Shape& s, const T* x, const Real<T>* gamma, const Real<T>* beta, const Real<T>* mean,
              const Real<T>* rstd, const T* dy, T* dx, Real<T>* dgamma, Real<T>* dbeta, T* dresidual,
              const Attributes& attr) {
  const Pad none, &out = attr.out_pad;
  const Shape outer = out.outer(s), residual_outer = attr.residual_pad.outer(s);
  for (std::int64_t i = 0; i < (attr.per_picture ? s.n : 1) * s.c; ++i) dgamma[i] = dbeta[i] = 0;
  if (dresidual)
    for (std::int64_t i = 0; i < residual_outer.count(); ++i) dresidual[i] = T(0);
  std::vector<Real<T>> g(s.pixels()), xhat(s.pixels());
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t c = 0; c < s.c; ++c) {
      const std::int64_t k = parameter(s, attr, n, c);
      for (auto& value : g) value = 0;
      for (std::int64_t i = 0; i < outer.h; ++i)
        for (std::int64_t j = 0; j < outer.w; ++j)
          g[pad_source(i, out.top, s.h, out.mode) * s.w + pad_source(j, out.left, s.w, out.mode)] +=
              Real<T>(dy[((n * outer.h + i) * outer.w + j) * s.c + c]);

      for (auto& value : g) value = Real<T>(T(value));  // folded in place: stored as T once
      Real<T> sum_g = 0, sum_gx = 0;
      for (std::int64_t h = 0; h < s.h; ++h)
        for (std::int64_t w = 0; w < s.w; ++w) {
          const std::int64_t p = h * s.w + w;
          if (dresidual) dresidual[position(s, attr.residual_pad, n, h, w, c)] = T(g[p]);
          xhat[p] = (Real<T>(x[position(s, none, n, h, w, c)]) - mean[n * s.c + c]) * rstd[n * s.c + c];
          if (attr.relu && !(gamma[k] * xhat[p] + beta[k] > 0)) g[p] = 0;
          sum_g += g[p];
          sum_gx += g[p] * xhat[p];
        }
      dbeta[k] += sum_g;
      dgamma[k] += sum_gx;
      const Real<T> mean_g = sum_g / Real<T>(s.pixels()), mean_gx = sum_gx / Real<T>(s.pixels());
      for (std::int64_t p = 0; p < s.pixels(); ++p)
        dx[(n * s.pixels() + p) * s.c + c] =
            T(gamma[k] * rstd[n * s.c + c] * (g[p] - mean_g - xhat[p] * mean_gx));
    }
}

}  // namespace chiaro::instance_norm::reference
