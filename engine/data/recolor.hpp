// Colors changed at random, so that a network meets colors that photographs do not have:
//   c' = clamp(128 + M (c - 128) + b)      M = I + s U, b = 128 s u      c: (r, g, b), 0..255
// Entries of the 3x3 matrix U and the vector u: uniform in [-1, 1]; s: uniform in [0, strength], so that some
// pictures stay as they are. Pure functions: the same arguments give the same bits, in any thread.
#pragma once
#include <array>
#include <cstdint>
#include <span>

namespace chiaro {

struct ColorChange {
  std::array<std::array<float, 3>, 3> matrix;  // row: of the new color
  std::array<float, 3> offset;                 // to be added behind the matrix: 128 - M 128 + b
};

// Drawn from (seed, sample). strength: 0 (nothing is changed) to 1. sample < 2^60.
ColorChange random_colors(std::uint64_t seed, std::uint64_t sample, double strength);

// pixels: RGB triples, changed in place; rounded to the nearest, halves up.
void recolor(const ColorChange& change, std::span<std::uint8_t> pixels);

}  // namespace chiaro
