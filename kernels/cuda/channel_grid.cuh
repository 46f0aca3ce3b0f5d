// The device's side of channel_grid.hpp: who takes what, and sums over the rows of a block.
#pragma once
#include "kernels/base/channel_grid.hpp"
#include "kernels/base/cuda_portable.hpp"

namespace chiaro {

// V elements per access: 16 bytes where the channels divide and every array that is given is aligned, else 1.
template <class T, class... Arrays>
int vector_width(std::int64_t channels, const Arrays*... arrays) {
  constexpr int kVector = 16 / static_cast<int>(sizeof(T));
  return channels % kVector == 0 && (is_aligned(arrays) && ...) ? kVector : 1;
}

// Blocks are (chunk, slice, picture).
inline dim3 grid_of(const ChannelGrid& g) {
  require(g.pictures <= 65535, "a grid for {} pictures is not possible", g.pictures);
  return dim3(g.chunks, g.slices, g.pictures);
}

// What a thread takes: channels channel .. channel + V of pixels begin + row, begin + row + rows, ... < end.
struct ChannelPlace {
  int lane, row, slice_begin, channel, begin, end;
  bool active;  // false for lanes beyond the last channel; they take part in barriers

  __device__ explicit ChannelPlace(const ChannelGrid& g)
      : lane(threadIdx.x % g.lanes),
        row(threadIdx.x / g.lanes),
        slice_begin(blockIdx.y * g.slice_channels),
        channel(slice_begin + lane * g.vector),
        begin(blockIdx.x * g.chunk_pixels),
        end(begin + g.chunk_pixels < g.pixels ? begin + g.chunk_pixels : g.pixels),
        active(channel < g.channels) {}
  // Number of pixels of row r.
  __device__ int count(int r, int rows) const {
    return begin + r < end ? (end - begin - r + rows - 1) / rows : 0;
  }
};

// Room for one value per channel and row, in shared memory.
inline std::size_t rows_bytes(const ChannelGrid& g) {
  return std::size_t(g.threads()) * g.vector * sizeof(float);
}

// Calls take(channel within the slice) in one thread for each channel of the block that exists.
template <class Take>
__device__ void for_each_block_channel(const ChannelGrid& g, const ChannelPlace& place, Take&& take) {
  for (int k = threadIdx.x; k < g.slice_channels && place.slice_begin + k < g.channels; k += g.threads())
    take(k);
}

}  // namespace chiaro
