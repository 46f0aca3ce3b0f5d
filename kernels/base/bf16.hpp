// bfloat16: the upper half of an IEEE float. Rounds to nearest, ties to even; NaN stays NaN.
#pragma once
#include <bit>
#include <cstdint>

namespace chiaro {

struct bf16 {
  std::uint16_t bits = 0;

  bf16() = default;
  constexpr bf16(float value) : bits(round(value)) {}
  constexpr operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

 private:
  static constexpr std::uint16_t round(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    const bool is_nan = (u & 0x7fffffffu) > 0x7f800000u;
    const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return static_cast<std::uint16_t>(is_nan ? (u >> 16) | 0x40u : rounded);
  }
};
static_assert(sizeof(bf16) == 2);

}  // namespace chiaro
