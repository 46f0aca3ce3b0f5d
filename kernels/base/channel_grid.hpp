// How kernels over (picture, pixel, channel) are cut into blocks of threads.
//
// A block takes a slice of at most 64 channels of a chunk of pixels of one picture. Its threads stand in
// `rows` of `lanes`: a lane keeps `vector` neighboring channels, a row takes every rows-th pixel of the
// chunk. So a warp reads whole 128-byte lines where 64 channels or all channels follow each other in memory.
#pragma once
#include <algorithm>
#include <cstdint>

namespace chiaro {

struct ChannelGrid {
  int vector = 1;                      // channels per access
  int lanes = 1, rows = 1;             // threads of a block: lanes * rows <= kThreads
  int slices = 1, slice_channels = 1;  // blocks along the channels
  int chunks = 1, chunk_pixels = 1;    // blocks along the pixels of a picture
  int pictures = 1, pixels = 1, channels = 1;

  static constexpr int kThreads = 256;
  constexpr int threads() const { return lanes * rows; }
};

// At least this many pixels in a chunk, so that what a block does once stays small beside them.
inline constexpr int kMinChunkPixels = 128;

// blocks: how many to aim at. The number of chunks depends neither on `vector` nor on addresses.
constexpr ChannelGrid pick_channel_grid(std::int64_t pictures, std::int64_t pixels, std::int64_t channels,
                                        int vector, int blocks) {
  constexpr std::int64_t kSlice = 64;
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t slices = up(channels, kSlice);
  const std::int64_t slice_channels = slices == 1 ? channels : up(up(channels, slices), 8) * 8;
  const std::int64_t lanes = up(slice_channels, vector);
  const std::int64_t wanted =
      std::clamp<std::int64_t>(blocks / (pictures * slices), 1, up(pixels, kMinChunkPixels));
  const std::int64_t chunk_pixels = up(pixels, wanted);
  return {.vector = vector,
          .lanes = static_cast<int>(lanes),
          .rows = static_cast<int>(ChannelGrid::kThreads / lanes),
          .slices = static_cast<int>(slices),
          .slice_channels = static_cast<int>(slice_channels),
          .chunks = static_cast<int>(up(pixels, chunk_pixels)),
          .chunk_pixels = static_cast<int>(chunk_pixels),
          .pictures = static_cast<int>(pictures),
          .pixels = static_cast<int>(pixels),
          .channels = static_cast<int>(channels)};
}

}  // namespace chiaro
