// How close one depth map is to another: x, the reference, and y, both in meters and of one size.
//   AbsRel, RMSE, log10, delta[k]   the scores of depth_scores.hpp
//   SSIM      see structural_similarity.hpp; dynamic range = largest - smallest usable reference depth
//   Spearman  correlation of the ranks, ties at their mean rank
// Pixels count where both maps hold a depth (finite, above 0) and the mask, if any, allows it; the others are
// left out of every measure, and counted: a map with few usable pixels may look better than it is.
// A measure that is not defined is NaN: all without usable pixels, SSIM and Spearman where the reference,
// Spearman also where the other map is constant.
// Deterministic: double arithmetic, sums in pixel order, O(n log n).
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "apps/evaluate/depth_map.hpp"

namespace chiaro {

struct DepthMetricOptions {
  std::span<const std::uint8_t> mask;  // one byte per pixel, 0 leaves it out; empty = no mask
  bool median_scaling = false;         // multiply y by median(x) / median(y) first: judges the shape alone
};

struct DepthMetrics {
  std::int64_t pixels = 0;        // that the mask allows
  std::int64_t valid_pixels = 0;  // of these, where both maps hold a depth
  double scale = 1;               // what y was multiplied by
  double abs_rel = 0, rmse = 0, log10 = 0;
  std::array<double, 3> delta{};
  double ssim = 0, spearman = 0;
};

// Errors: maps of different sizes, a mask of another size.
DepthMetrics compare_depth(const DepthMap& reference, const DepthMap& other,
                           const DepthMetricOptions& options = {});

// Ranks from 1; equal values share the mean of theirs.
std::vector<double> mean_ranks(std::span<const double> values);

}  // namespace chiaro
