// SSIM, the structural similarity of two maps x and y of one size.
//   (2 mx my + C1) (2 sxy + C2) / ((mx^2 + my^2 + C1) (sx^2 + sy^2 + C2)),  C1 = (0.01 L)^2, C2 = (0.03 L)^2
// Means, variances and covariance under an 11x11 Gaussian window of sigma 1.5 whose weights sum to 1;
// averaged over all windows that lie inside the map and hold usable pixels only. L: the dynamic range. Double
// arithmetic, separable: O(pixels).
// Deterministic: yes.
// Source: Wang, Bovik, Sheikh, Simoncelli 2004, "Image quality assessment: from error visibility to
// structural similarity", section III.C.
#pragma once
#include <cstdint>
#include <span>

#include "engine/image/image.hpp"

namespace chiaro {

struct Similarity {
  double value = 0;          // NaN without windows, or where L = 0 leaves 0/0
  std::int64_t windows = 0;  // that took part
};

// x, y, usable: (height, width); values of unusable pixels have no influence.
Similarity structural_similarity(std::span<const double> x, std::span<const double> y,
                                 std::span<const char> usable, std::int64_t height, std::int64_t width,
                                 double dynamic_range);

// Of the gray pictures, 0.299 R + 0.587 G + 0.114 B, L = 255. RGB pictures of one size.
Similarity gray_similarity(const Image& a, const Image& b);

}  // namespace chiaro
