// The formulas of the elementwise ops, one functor each, compiled for host and device.
//
// Elements come and go as fp32 whatever their tensors hold. A functor with kOneType runs only where all of
// its tensors have the same type.
#pragma once
#include <bit>
#include <cstdint>

#include "kernels/base/bf16.hpp"

#if defined(__CUDACC__)
#define CHIARO_HOST_DEVICE __host__ __device__
#else
#define CHIARO_HOST_DEVICE
#endif

namespace chiaro::elementwise {

// tanh(|x|) = 1 - 2 / (e^z + 1), z = 2|x|, without a library call, so that loops on the CPU vectorize.
// e^z = 2^k * e^r with |r| <= ln(2)/2, and e^r by its Taylor polynomial of degree 7 (error below 6e-9).
CHIARO_HOST_DEVICE inline float fast_tanh(float x) {
#if defined(__CUDA_ARCH__)
  return tanhf(x);
#else
  const float magnitude = x < 0.f ? -x : x;
  const float z = magnitude > 10.f ? 20.f : 2.f * magnitude;  // tanh is 1 in fp32 from about 9 on; NaN passes
  const float shifted = z * 1.44269504f + 12582912.f;  // 1.5 * 2^23: leaves round(z / ln 2) in the low bits
  const float k = shifted - 12582912.f;
  const float r = (z - k * 0.693359375f) + k * 2.12194440e-4f;
  float e = 1.f / 5040.f;
  e = e * r + 1.f / 720.f;
  e = e * r + 1.f / 120.f;
  e = e * r + 1.f / 24.f;
  e = e * r + 1.f / 6.f;
  e = e * r + 0.5f;
  e = e * r + 1.f;
  e = e * r + 1.f;
  const auto power = (std::bit_cast<std::uint32_t>(shifted) + 127u) << 23;
  const float t = 1.f - 2.f / (e * std::bit_cast<float>(power) + 1.f);
  return x < 0.f ? -t : t;
#endif
}

struct Copy {
  static constexpr bool kOneType = false;
  CHIARO_HOST_DEVICE float operator()(float x) const { return x; }
};

// fp32 values that bf16 can hold.
struct RoundToBf16 {
  static constexpr bool kOneType = true;
  CHIARO_HOST_DEVICE float operator()(float x) const { return float(bf16(x)); }
};

struct Relu {
  static constexpr bool kOneType = true;
  CHIARO_HOST_DEVICE float operator()(float x) const { return x < 0.f ? 0.f : x; }  // keeps NaN
};
struct ReluGradient {
  static constexpr bool kOneType = true;
  CHIARO_HOST_DEVICE float operator()(float y, float dy) const { return y > 0.f ? dy : 0.f; }
};

struct TanhOutput {
  static constexpr bool kOneType = false;
  static constexpr float kAmplitude = 150.f, kCenter = 127.5f;
  CHIARO_HOST_DEVICE float operator()(float x) const { return kAmplitude * fast_tanh(x) + kCenter; }
};
struct TanhOutputGradient {
  static constexpr bool kOneType = false;
  CHIARO_HOST_DEVICE float operator()(float y, float dy) const {
    const float t = (y - TanhOutput::kCenter) * (1.f / TanhOutput::kAmplitude);
    return dy * TanhOutput::kAmplitude * (1.f - t * t);
  }
};

// With the mean and the scale of the element's channel.
struct ChannelAffine {
  CHIARO_HOST_DEVICE float operator()(float x, float mean, float scale) const { return (x - mean) * scale; }
};
struct ChannelAffineGradient {
  CHIARO_HOST_DEVICE float operator()(float dy, float, float scale) const { return dy * scale; }
};

}  // namespace chiaro::elementwise
