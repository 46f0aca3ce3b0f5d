// Rows of a table, mixed for every picture of a batch: how a picture gets the parameters of its style.
//   y[n,l] = sum_s w[n,s] * t[s,l]                       dt[s,l] (+)= sum_n w[n,s] * dy[n,l]
// Layout: dense, fp32.  w: (N,S), shares of the rows; t, dt: (S,L); y, dy: (N,L).
// A share of 0 takes nothing from its row, not even NaN: with one share of 1 in a row of w, y[n] is a row of
// t. dt: follows its GradientMode.
// Workspace: none.
// Deterministic: sums in fp32, in the order of s, or of n; with any number of threads.
// Errors: chiaro::Error for missing arguments or sizes below 1.
// Source: conditional instance normalization, Dumoulin, Shlens, Kudlur 2017, arXiv:1610.07629.
#pragma once
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::row_mix {

struct Sizes {
  std::int64_t pictures = 0, rows = 0, length = 0;  // N, S, L
};

void forward(Context&, const Sizes&, const float* w, const float* t, float* y);
void backward(Context&, const Sizes&, const float* w, const float* dy, float* dt, GradientMode mode);

namespace cpu {
void forward(const Sizes&, const float* w, const float* t, float* y);
void backward(const Sizes&, const float* w, const float* dy, float* dt, bool accumulate);
}  // namespace cpu

}  // namespace chiaro::row_mix
