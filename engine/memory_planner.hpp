// Places blocks with known lifetimes in one arena.
//
// A pure function: no device, no graph. Two blocks share bytes only when their lifetimes, counted in steps
// and inclusive at both ends, do not overlap. Greedy by size: the largest block first, each at the lowest
// offset where it overlaps no block alive at the same time (Pisarchyk & Lee 2020, arXiv:2001.03288, "greedy
// by size").
// Deterministic: ties are broken by the order of the blocks.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/base/alignment.hpp"

namespace chiaro {

struct MemoryBlock {
  std::int64_t bytes = 0;
  std::int64_t first_step = 0, last_step = 0;
};

struct MemoryPlan {
  std::vector<std::int64_t> offsets;  // one per block, multiples of the alignment
  std::int64_t arena_bytes = 0;
  std::int64_t lower_bound = 0;     // largest sum of blocks alive in one step: no plan can be smaller
  std::int64_t unshared_bytes = 0;  // sum of all blocks: what it would take without reuse
};

// reuse = false gives every block bytes of its own, to bisect a suspected lifetime mistake.
// alignment: of the device's memory (base/alignment.hpp).
MemoryPlan plan_memory(std::span<const MemoryBlock> blocks, bool reuse = true,
                       std::int64_t alignment = kHostAlignment);

}  // namespace chiaro
