// The one-dimensional transforms of Winograd's minimal filtering with 6 points: 4 outputs of a filter of 3
// taps from 6 inputs, in 6 multiplications in place of 12; or 3 from one of 4 taps. In two dimensions they
// are applied to rows and columns: 36 multiplications in place of 144.
//   outputs = A^T ((G filter) * (B^T inputs))
// The points are 0, +-sqrt(1/2), +-sqrt(2) and infinity: between and beyond the powers of two that are
// commonly used, because the rounding errors of the sums are a third of theirs.
//
// V: float, double or a vector of floats.
// Source: Lavin and Gray 2016, arXiv:1509.09308; general form and choice of points: Barabasz et al. 2020,
// arXiv:1803.10986.
#pragma once

namespace chiaro::conv2d::winograd {

inline constexpr int kPoints = 6, kOutputs = 4, kTaps = 3;
inline constexpr int kProducts = kPoints * kPoints;

inline constexpr float kA = 0.70710678118654752440f, kB = 1.41421356237309504880f;  // the positive points

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

// Products back to 4 outputs: A^T m.
template <class V>
inline void transform_outputs(const V (&m)[kPoints], V (&y)[kOutputs]) {
  const V sum_a = m[1] + m[2], sum_b = m[3] + m[4];
  const V difference_a = kA * (m[1] - m[2]), difference_b = kB * (m[3] - m[4]);
  y[0] = m[0] + sum_a + sum_b;
  y[1] = difference_a + difference_b;
  y[2] = 0.5f * sum_a + 2.f * sum_b;
  y[3] = 0.5f * difference_a + 2.f * difference_b + m[5];
}

// A filter of 3 taps at the points: G g.
template <class V>
inline void transform_filter(const V (&g)[kTaps], V (&t)[kPoints]) {
  const V even_a = (-2.f / 3) * g[0] - (1.f / 3) * g[2], odd_a = (-2.f / 3 * kA) * g[1];
  const V even_b = (1.f / 6) * g[0] + (1.f / 3) * g[2], odd_b = (1.f / 6 * kB) * g[1];
  t[0] = g[0];
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = g[2];
}

// For weight gradients, whose filter is a piece of dy: one of 4 taps at the points.
template <class V>
inline void transform_long_filter(const V (&g)[kOutputs], V (&t)[kPoints]) {
  const V even_a = (-2.f / 3) * g[0] - (1.f / 3) * g[2], odd_a = kA * ((-2.f / 3) * g[1] - (1.f / 3) * g[3]);
  const V even_b = (1.f / 6) * g[0] + (1.f / 3) * g[2], odd_b = kB * ((1.f / 6) * g[1] + (1.f / 3) * g[3]);
  t[0] = g[0];
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = g[3];
}

// And the products back to its 3 outputs.
template <class V>
inline void transform_short_outputs(const V (&m)[kPoints], V (&y)[kTaps]) {
  const V sum_a = m[1] + m[2], sum_b = m[3] + m[4];
  y[0] = m[0] + sum_a + sum_b;
  y[1] = kA * (m[1] - m[2]) + kB * (m[3] - m[4]);
  y[2] = 0.5f * sum_a + 2.f * sum_b + m[5];
}

}  // namespace chiaro::conv2d::winograd
