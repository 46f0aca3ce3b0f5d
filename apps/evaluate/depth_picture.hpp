// Depth maps as pictures: near is bright, far is dark, no depth is gray.
#pragma once
#include "apps/evaluate/color_map.hpp"
#include "apps/evaluate/depth_map.hpp"
#include "engine/image/image.hpp"

namespace chiaro {

// Depths outside the range get the color of its end.
Image draw_depth(const DepthMap& map, DepthRange range);

// other - reference: blue where other is nearer, red where it is farther, white where they agree; the
// strongest color at `largest` meters and beyond. Gray where either holds no depth. Maps of one size.
Image draw_difference(const DepthMap& reference, const DepthMap& other, float largest);

// From the `cut` to the `1 - cut` part of the depths (0 = all of them); never empty, 0 to 1 m without depths.
DepthRange range_of(const DepthMap& map, double cut);

// The colors from left to right with round numbers of meters below, in the rectangle from (top, left) with
// `width` pixels and scale_bar_height(scale).
void draw_scale_bar(Image& image, std::int64_t top, std::int64_t left, std::int64_t width, ColorMap map,
                    DepthRange range, std::int64_t scale = 1);
std::int64_t scale_bar_height(std::int64_t scale = 1);

// The round numbers: multiples of 1, 2 or 5 times a power of ten, at most `most`, at least two.
std::vector<double> round_ticks(DepthRange range, int most);

// How wide draw_text() makes a text, roughly.
std::int64_t text_width(const std::string& text, std::int64_t scale = 1);

}  // namespace chiaro
