// The transforms of Winograd's minimal filtering with 6 points: 7 - T outputs of a filter of T taps from 6
// inputs, in 6 multiplications. In two dimensions they are applied to columns, then to rows: 36 multiplications
// for 4x4 outputs of a 3x3 filter, in place of 144.
//   outputs = A^T ((G filter) * (B^T inputs))
// The points are 0, +-sqrt(1/2), +-sqrt(2) and infinity. Their powers stay nearer to 1 than those of the
// common 0, +-1, +-2, and so do rounding errors.
//
// V: float or a vector of floats.
// Source: Lavin and Gray 2016, arXiv:1509.09308; general form and the choice of points: Barabasz et al. 2020,
// arXiv:1803.10986.
#pragma once

namespace chiaro::conv2d::winograd {

inline constexpr int kPoints = 6, kProducts = kPoints * kPoints;
// Outputs of a filter, and taps of the filter with that many outputs.
constexpr int outputs_of(int taps) {
  return kPoints + 1 - taps;
}

inline constexpr float kA = 0.70710678118654752440f, kB = 1.41421356237309504880f;  // the positive points
constexpr float power_of_half(int n) {
  return n == 0 ? 1.f : 0.5f * power_of_half(n - 1);
}

// Inputs at the points: B^T d.
template <class V>
inline void transform_inputs(const V (&d)[kPoints], V (&t)[kPoints]) {
  const V even_a = d[4] - 2.f * d[2], odd_a = kA * (d[3] - 2.f * d[1]);
  const V even_b = d[4] - 0.5f * d[2], odd_b = kB * (d[3] - 0.5f * d[1]);
  t[0] = d[0] + (d[4] - 2.5f * d[2]);
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = d[1] + (d[5] - 2.5f * d[3]);
}

// A filter of T taps at the points: G g. Row p of G is (1, p, p^2 ...) / product of p's distances from the others.
template <class V, int T>
inline void transform_filter(const V (&g)[T], V (&t)[kPoints]) {
  V even_a = g[0], even_b = g[0], odd_a = g[1], odd_b = g[1];
#pragma GCC unroll 6
  for (int i = 2; i < T; ++i) {
    const float a = power_of_half(i / 2), b = 1 / a;
    (i % 2 ? odd_a : even_a) += a * g[i];
    (i % 2 ? odd_b : even_b) += b * g[i];
  }
  even_a *= -2.f / 3;
  odd_a *= -2.f / 3 * kA;
  even_b *= 1.f / 6;
  odd_b *= 1.f / 6 * kB;
  t[0] = g[0];
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = g[T - 1];
}

// Products back to M outputs: A^T m, whose column p is (1, p, p^2 ...).
template <class V, int M>
inline void transform_outputs(const V (&m)[kPoints], V (&y)[M]) {
  const V sum_a = m[1] + m[2], sum_b = m[3] + m[4];
  const V difference_a = kA * (m[1] - m[2]), difference_b = kB * (m[3] - m[4]);
#pragma GCC unroll 6
  for (int i = 0; i < M; ++i) {
    const float a = power_of_half(i / 2), b = 1 / a;
    y[i] = i % 2 ? a * difference_a + b * difference_b : a * sum_a + b * sum_b;
  }
  y[0] += m[0];
  y[M - 1] += m[5];
}

// out = `one` applied to the columns of `in`, then to its rows.
template <class V, int R, int S, int P, int Q, class Columns, class Rows>
inline void transform_both(const V (&in)[R][S], V (&out)[P][Q], Columns&& columns, Rows&& rows) {
  V half[P][S];
  for (int j = 0; j < S; ++j) {
    V from[R], to[P];
    for (int i = 0; i < R; ++i) from[i] = in[i][j];
    columns(from, to);
    for (int i = 0; i < P; ++i) half[i][j] = to[i];
  }
  for (int i = 0; i < P; ++i) rows(half[i], out[i]);
}
template <class V>
inline void transform_inputs(const V (&d)[kPoints][kPoints], V (&t)[kPoints][kPoints]) {
  const auto one = [](const V(&from)[kPoints], V(&to)[kPoints]) { transform_inputs(from, to); };
  transform_both(d, t, one, one);
}
template <class V, int R, int S>
inline void transform_filter(const V (&g)[R][S], V (&t)[kPoints][kPoints]) {
  transform_both(
      g, t, [](const V(&from)[R], V(&to)[kPoints]) { transform_filter(from, to); },
      [](const V(&from)[S], V(&to)[kPoints]) { transform_filter(from, to); });
}
template <class V, int P, int Q>
inline void transform_outputs(const V (&m)[kPoints][kPoints], V (&y)[P][Q]) {
  transform_both(
      m, y, [](const V(&from)[kPoints], V(&to)[P]) { transform_outputs(from, to); },
      [](const V(&from)[kPoints], V(&to)[Q]) { transform_outputs(from, to); });
}

}  // namespace chiaro::conv2d::winograd
