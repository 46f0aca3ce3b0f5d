// Fixed chunks and tiles, each one single-threaded matrix product.
#include <algorithm>

#include "kernels/base/blocks.hpp"
#include "kernels/gemm/gemm.hpp"
#include "kernels/gram/gram.hpp"

namespace chiaro::gram::cpu {

namespace {

// How the forward pass of one picture is cut: chunks of pixels times the block pairs (i <= j) of channels.
struct ForwardPlan {
  std::int64_t chunk, chunks, block, blocks;

  explicit ForwardPlan(Shape f)
      : chunk(std::max<std::int64_t>(1024, divide_up(f.pixels(), 64))),
        chunks(divide_up(f.pixels(), chunk)),
        block(f.c <= 128 ? 64 : 128),
        blocks(divide_up(f.c, block)) {}
  std::int64_t pairs() const { return blocks * (blocks + 1) / 2; }
};

struct BlockPair {
  std::int64_t i, j;
};

BlockPair block_pair(std::int64_t index, std::int64_t blocks) {
  std::int64_t i = 0;
  for (; index >= blocks - i; ++i) index -= blocks - i;
  return {i, i + index};
}

constexpr std::int64_t kTileRows = 64;  // pixels per product of the backward pass
constexpr std::int64_t kMaxTasks = 64;  // tasks of the bf16 backward pass, each with a tile of scratch

std::int64_t backward_tiles(Shape f) {
  return f.n * divide_up(f.pixels(), kTileRows);
}
std::int64_t backward_tasks(Shape f) {
  return std::min(backward_tiles(f), kMaxTasks);
}

const void* element(ConstTensorView x, std::int64_t index) {
  return static_cast<const char*>(x.data) + index * size_of(x.dtype);
}

}  // namespace

std::int64_t forward_workspace_bytes(Shape f) {
  return f.n * ForwardPlan(f).chunks * f.c * f.c * size_of(DType::F32);
}

std::int64_t backward_workspace_bytes(Shape f, DType dtype) {
  return dtype == DType::F32 ? 0 : backward_tasks(f) * 2 * kTileRows * f.c * size_of(DType::F32);
}

void forward(Context& context, ConstTensorView f, float* g, float scale, void* workspace) {
  const ForwardPlan plan(f.shape);
  const std::int64_t C = f.shape.c, pixels = f.shape.pixels();
  float* partial = static_cast<float*>(workspace);  // (N, chunks, C, C), only blocks with i <= j
  const auto product = [&](std::int64_t task) {
    const std::int64_t slab = task / plan.pairs(), n = slab / plan.chunks,
                       first = slab % plan.chunks * plan.chunk;
    const auto [i, j] = block_pair(task % plan.pairs(), plan.blocks);
    const std::int64_t row = (n * pixels + first) * C;
    gemm::Args args;
    args.m = std::min(plan.block, C - i * plan.block);
    args.n = std::min(plan.block, C - j * plan.block);
    args.k = std::min(plan.chunk, pixels - first);
    args.a = {element(f, row + i * plan.block), f.dtype, C, true};
    args.b = {element(f, row + j * plan.block), f.dtype, C, false};
    args.c = {partial + (slab * C + i * plan.block) * C + j * plan.block, DType::F32, C};
    return args;
  };
  gemm::implementation(product(0));  // throws here if it must: an exception may not leave a parallel loop
  parallel_for(f.shape.n * plan.chunks * plan.pairs(),
               [&](std::int64_t task) { gemm::run(context, product(task)); });
  parallel_for(f.shape.n * C, [&](std::int64_t row) {
    const std::int64_t n = row / C, i = row % C;
    float* to = g + row * C;
    std::fill(to + i, to + C, 0.f);
    for (std::int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
      const float* from = partial + ((n * plan.chunks + chunk) * C + i) * C;
      for (std::int64_t j = i; j < C; ++j) to[j] += from[j];
    }
    for (std::int64_t j = i; j < C; ++j) to[j] *= scale;
  });
  parallel_for(f.shape.n * C, [&](std::int64_t row) {
    const std::int64_t n = row / C, i = row % C;
    for (std::int64_t j = 0; j < i; ++j) g[row * C + j] = g[(n * C + j) * C + i];
  });
}

namespace {

// Tile: where it starts, in pixels of the whole batch, and how many pixels of one picture it has.
struct Tile {
  std::int64_t n, first, rows;
};

Tile tile_at(Shape f, std::int64_t index) {
  const std::int64_t per_picture = divide_up(f.pixels(), kTileRows);
  const std::int64_t n = index / per_picture, p = index % per_picture * kTileRows;
  return {n, n * f.pixels() + p, std::min(kTileRows, f.pixels() - p)};
}

gemm::Args tile_product(const Tile& tile, std::int64_t C, const float* f, const float* dg, float scale,
                        float* df, bool accumulate) {
  gemm::Args args;
  args.m = tile.rows;
  args.n = args.k = C;
  args.a = {f, DType::F32, C, false};
  args.b = {dg + tile.n * C * C, DType::F32, C, false};
  args.c = {df, DType::F32, C};
  args.alpha = 2 * scale;
  args.beta = accumulate ? 1.f : 0.f;
  return args;
}

}  // namespace

void backward(Context& context, ConstTensorView f, const float* dg, float scale, TensorView df,
              bool accumulate, void* workspace) {
  const std::int64_t C = f.shape.c, tiles = backward_tiles(f.shape), tasks = backward_tasks(f.shape);
  gemm::implementation(
      tile_product(tile_at(f.shape, 0), C, dg, dg, scale, nullptr, accumulate));  // may throw
  if (f.dtype == DType::F32) {
    parallel_for(tiles, [&](std::int64_t index) {
      const Tile tile = tile_at(f.shape, index);
      gemm::run(context, tile_product(tile, C, f.as<float>() + tile.first * C, dg, scale,
                                      df.as<float>() + tile.first * C, accumulate));
    });
    return;
  }
  // dg is fp32, and rounding it to bf16 would lose what small style differences are made of: widen f instead.
  parallel_for(tasks, [&](std::int64_t task) {
    float* wide_f = static_cast<float*>(workspace) + task * 2 * kTileRows * C;
    float* wide_df = wide_f + kTileRows * C;
    for (std::int64_t index = task * tiles / tasks; index < (task + 1) * tiles / tasks; ++index) {
      const Tile tile = tile_at(f.shape, index);
      const bf16* from = f.as<bf16>() + tile.first * C;
      bf16* to = df.as<bf16>() + tile.first * C;
      for (std::int64_t i = 0; i < tile.rows * C; ++i) wide_f[i] = from[i];
      if (accumulate)
        for (std::int64_t i = 0; i < tile.rows * C; ++i) wide_df[i] = to[i];
      gemm::run(context, tile_product(tile, C, wide_f, dg, scale, wide_df, accumulate));
      for (std::int64_t i = 0; i < tile.rows * C; ++i) to[i] = wide_df[i];
    }
  });
}

}  // namespace chiaro::gram::cpu
