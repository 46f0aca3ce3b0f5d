#include "apps/evaluate/depth_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "apps/evaluate/depth_scores.hpp"
#include "apps/evaluate/structural_similarity.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

double correlation(std::span<const double> a, std::span<const double> b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double da = a[i] - mean_a, db = b[i] - mean_b;
    aa += da * da, bb += db * db, ab += da * db;
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : kUndefined;
}

void add_errors(std::span<const double> x, std::span<const double> y, DepthMetrics& metrics) {
  DepthScoreSum sum;
  for (std::size_t i = 0; i < x.size(); ++i) sum.add(y[i], x[i]);
  const DepthScores scores = sum.scores();
  metrics.abs_rel = scores.rel;
  metrics.rmse = scores.rms;
  metrics.log10 = scores.log10;
  metrics.delta = scores.delta;
}

}  // namespace

std::vector<double> mean_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    const double rank = static_cast<double>(first + 1 + last) / 2;
    for (std::size_t i = first; i < last; ++i) ranks[order[i]] = rank;
  }
  return ranks;
}

DepthMetrics compare_depth(const DepthMap& reference, const DepthMap& other,
                           const DepthMetricOptions& options) {
  require(reference.height == other.height && reference.width == other.width,
          "depth maps of {}x{} and {}x{} values cannot be compared", reference.width, reference.height,
          other.width, other.height);
  const std::size_t count = reference.meters.size();
  require(options.mask.empty() || options.mask.size() == count,
          "the mask has {} values, the depth maps have {}", options.mask.size(), count);

  DepthMetrics metrics;
  std::vector<char> usable(count);
  std::vector<double> map_x(count), map_y(count);  // with their holes, for SSIM
  std::vector<double> x, y;                        // without
  for (std::size_t p = 0; p < count; ++p) {
    const bool allowed = options.mask.empty() || options.mask[p] != 0;
    metrics.pixels += allowed;
    usable[p] = allowed && is_depth(reference.meters[p]) && is_depth(other.meters[p]);
    if (!usable[p]) continue;
    x.push_back(map_x[p] = reference.meters[p]);
    y.push_back(map_y[p] = other.meters[p]);
  }
  metrics.valid_pixels = static_cast<std::int64_t>(x.size());
  if (x.empty()) {
    metrics.abs_rel = metrics.rmse = metrics.log10 = metrics.ssim = metrics.spearman = kUndefined;
    metrics.delta.fill(kUndefined);
    return metrics;
  }
  if (options.median_scaling) {
    metrics.scale = median(x) / median(y);
    for (double& value : y) value *= metrics.scale;
    for (double& value : map_y) value *= metrics.scale;
  }
  add_errors(x, y, metrics);
  const auto [smallest, largest] = std::minmax_element(x.begin(), x.end());
  metrics.ssim =
      structural_similarity(map_x, map_y, usable, reference.height, reference.width, *largest - *smallest)
          .value;
  metrics.spearman = correlation(mean_ranks(x), mean_ranks(y));
  return metrics;
}

}  // namespace chiaro
