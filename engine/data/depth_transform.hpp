// The random changes that multiply the training pairs of a depth network: one affine resampling of photo and
// depth map (scale, rotation, mirroring, crop), and gains on the colors.
//
//   scale     s uniform in [1, max_scale]; depths are divided by s: what looks s times larger is as near
//   rotation  uniform in +-max_rotation degrees
//   crop      anywhere in the scaled picture where the rotated window lies inside, else in the middle
//   mirror    left and right exchanged with mirror_probability
//   colors   each channel times a number of its own in [1 - channel_gain, 1 + channel_gain], all times one
//             in [1 - overall_gain, 1 + overall_gain]; clamped to 0..255
// Source: Eigen, Puhrsch, Fergus, "Depth map prediction from a single image using a multi-scale deep
// network", NIPS 2014, section 3.4, adopted by Laina et al., "Deeper depth prediction with fully
// convolutional residual networks", 3DV 2016, section 4; there is no overall gain in them.
//
// All functions are pure: the same arguments give the same bits, in any thread.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "engine/image/image.hpp"

namespace chiaro {

struct DepthAugmentation {
  double max_scale = 1.5;     // at least 1
  double max_rotation = 5;    // degrees, 0 to 45
  double channel_gain = 0.2;  // 0 to 1
  double overall_gain = 0;    // 0 to 1
  double mirror_probability = 0.5;
};

// Error if a value lies outside its range.
void check_augmentation(const DepthAugmentation& augmentation);

struct PictureSize {
  std::int64_t height = 0, width = 0;  // pixels
  bool operator==(const PictureSize&) const = default;
};

// Where in the source a window of the result looks. Coordinates count from the upper left corner of the
// source, pixel (y, x) has its middle at (y + 0.5, x + 0.5). A point of the result that lies (dy, dx) from
// the middle of the window comes from
//   x = center_x + (cos(rotation) * m * dx - sin(rotation) * dy) / scale            m = mirror ? -1 : 1
//   y = center_y + (sin(rotation) * m * dx + cos(rotation) * dy) / scale
// so that the picture turns counter-clockwise by rotation (before it is mirrored).
struct DepthTransform {
  double center_y = 0, center_x = 0;
  double scale = 1;
  double rotation = 0;  // radians
  bool mirror = false;
  std::array<float, 3> gain = {1, 1, 1};
};

// The window in the middle, at whole pixels, nothing else changed: for validation.
DepthTransform middle_window(PictureSize source, PictureSize window);

// Drawn from (seed, epoch, index) alone. epoch < 2^28, index < 2^32.
DepthTransform random_window(const DepthAugmentation& augmentation, std::uint64_t seed, std::int64_t epoch,
                             std::int64_t index, PictureSize source, PictureSize window);

// rgb: (window.height, window.width, 3), 0..255, all of it written. Bilinear; a point outside the photo has
// the color of the nearest pixel.
void resample_photo(const Image& photo, const DepthTransform& transform, PictureSize window,
                    std::span<float> rgb);

// meters: (target.height, target.width), all of it written: the window in a resolution of its own. The depth
// of a pixel is that of the one source pixel in which its middle lies (depths are never mixed), divided by
// the scale; 0 where that is unknown or outside the map.
void resample_depth(const GrayImage& depth, double meters_per_unit, const DepthTransform& transform,
                    PictureSize window, PictureSize target, std::span<float> meters);

}  // namespace chiaro
