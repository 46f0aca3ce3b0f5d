#include "engine/data/recolor.hpp"

#include <algorithm>

#include "engine/rng.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

constexpr std::uint32_t kColorStream = 0x63686E67;  // "chng" in ASCII
constexpr float kMiddle = 128;

}  // namespace

ColorChange random_colors(std::uint64_t seed, std::uint64_t sample, double strength) {
  require(strength >= 0 && strength <= 1, "recolor: strength {} must lie in 0 to 1", strength);
  const Rng rng(seed, kColorStream);
  std::uint64_t counter = sample << 4;  // thirteen numbers for each sample
  const float s = static_cast<float>(strength) * rng.uniform(counter++);
  const auto draw = [&] { return s * (2 * rng.uniform(counter++) - 1); };
  ColorChange change{};
  for (std::size_t i = 0; i < 3; ++i) {
    float sum = 0;
    for (std::size_t j = 0; j < 3; ++j) sum += change.matrix[i][j] = (i == j ? 1.0f : 0.0f) + draw();
    change.offset[i] = kMiddle * (1 - sum + draw());
  }
  return change;
}

void recolor(const ColorChange& change, std::span<std::uint8_t> pixels) {
  for (std::size_t at = 0; at + 2 < pixels.size(); at += 3) {
    const float r = pixels[at], g = pixels[at + 1], b = pixels[at + 2];
    for (std::size_t i = 0; i < 3; ++i) {
      const auto& row = change.matrix[i];
      const float value = change.offset[i] + row[0] * r + row[1] * g + row[2] * b;
      pixels[at + i] = static_cast<std::uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f));
    }
  }
}

}  // namespace chiaro
