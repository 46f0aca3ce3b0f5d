// Colors for numbers, computed in CIELAB (CIE 1976, D65, sRGB) so that equal steps of a number are equal
// distances there: no step stands out that the data do not have.
#pragma once
#include <array>
#include <cstdint>

namespace chiaro {

using Rgb = std::array<std::uint8_t, 3>;
using Lab = std::array<double, 3>;

enum class ColorMap {
  Depth,       // 0 bright yellow, through green and blue, to 1 dark violet; lightness falls throughout
  Difference,  // 0 blue, 0.5 nearly white, 1 red; both ends equally dark and equally strong
};

// value is clamped to 0..1.
Rgb color_of(ColorMap map, double value);

// For what has no value.
inline constexpr Rgb kNoValueColor = {128, 128, 128};

// sRGB, unclamped: outside 0..1 where the screen cannot show the color.
std::array<double, 3> lab_to_srgb(const Lab& lab);
Lab srgb_to_lab(const std::array<double, 3>& rgb);

}  // namespace chiaro
