// How the CPU loops of instance normalization run over channels.
//
// A lane is one element of a vector of at most kLanes. Few channels: several neighboring pixels fill the
// lanes together (C = 3: 42 pixels, 126 lanes), so that the inner loop is long for every C. Many channels:
// one pixel in slices of kLanes channels. Lane l always belongs to channel `first + l % channels`.
#pragma once
#include <algorithm>
#include <cstdint>

namespace chiaro::instance_norm {

inline constexpr std::int64_t kLanes = 128;

struct ChannelSlice {
  std::int64_t first;     // first channel
  std::int64_t channels;  // number of channels
  std::int64_t pixels;    // pixels side by side in the lanes

  std::int64_t lanes() const { return channels * pixels; }
};

template <class F>
void for_each_slice(std::int64_t c, F&& f) {
  if (c <= kLanes) return f(ChannelSlice{0, c, kLanes / c});
  for (std::int64_t first = 0; first < c; first += kLanes)
    f(ChannelSlice{first, std::min(kLanes, c - first), 1});
}

// Calls f(offset, lanes) for groups of pixels that cover a dense run of `pixels` pixels with c channels each.
template <class F>
void for_each_group(const ChannelSlice& slice, std::int64_t c, std::int64_t pixels, F&& f) {
  const std::int64_t lanes = slice.lanes();
  std::int64_t p = 0;
  for (; p + slice.pixels <= pixels; p += slice.pixels) f(p * c + slice.first, lanes);
  if (p < pixels) f(p * c + slice.first, (pixels - p) * slice.channels);
}

// lanes[l] = value(channel of l)
template <class T, class F>
void expand(const ChannelSlice& slice, T* lanes, F&& value) {
  for (std::int64_t l = 0; l < slice.channels; ++l) lanes[l] = value(slice.first + l);
  for (std::int64_t l = slice.channels; l < slice.lanes(); ++l) lanes[l] = lanes[l - slice.channels];
}

// Sum of the lanes of one channel, `channel` counted from slice.first.
inline double fold(const ChannelSlice& slice, const float* lanes, std::int64_t channel) {
  double sum = 0;
  for (std::int64_t l = channel; l < slice.lanes(); l += slice.channels) sum += lanes[l];
  return sum;
}

// The parameters of one slice, lane by lane.
struct NormLanes {
  alignas(64) float mean[kLanes], scale[kLanes], beta[kLanes];

  // gamma, beta: (C); mean_c, rstd_c: (C) of one picture.
  NormLanes(const ChannelSlice& slice, const float* gamma, const float* beta_c, const float* mean_c,
            const float* rstd_c) {
    expand(slice, mean, [=](std::int64_t c) { return mean_c[c]; });
    expand(slice, scale, [=](std::int64_t c) { return gamma[c] * rstd_c[c]; });
    expand(slice, beta, [=](std::int64_t c) { return beta_c[c]; });
  }
  float z(std::int64_t lane, float x) const { return (x - mean[lane]) * scale[lane] + beta[lane]; }
};

// Rows of one parallel task: about 16 K elements.
constexpr std::int64_t rows_per_block(std::int64_t w, std::int64_t c) {
  return std::max<std::int64_t>(1, 16384 / (w * c));
}

}  // namespace chiaro::instance_norm
