#include "engine/memory_planner.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace chiaro {

namespace {

bool alive_together(const MemoryBlock& a, const MemoryBlock& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

std::int64_t largest_live_sum(std::span<const MemoryBlock> blocks, std::int64_t alignment) {
  std::map<std::int64_t, std::int64_t> change;  // step -> bytes that begin or end there
  for (const auto& b : blocks) {
    change[b.first_step] += align_up(b.bytes, alignment);
    change[b.last_step + 1] -= align_up(b.bytes, alignment);
  }
  std::int64_t live = 0, most = 0;
  for (const auto& [step, bytes] : change) most = std::max(most, live += bytes);
  return most;
}

}  // namespace

MemoryPlan plan_memory(std::span<const MemoryBlock> blocks, bool reuse, std::int64_t alignment) {
  MemoryPlan plan;
  plan.offsets.resize(blocks.size());
  for (const auto& b : blocks) {
    require(b.bytes >= 0 && b.first_step <= b.last_step,
            "memory planner: block of {} bytes lives from step {} to {}", b.bytes, b.first_step, b.last_step);
    plan.unshared_bytes += align_up(b.bytes, alignment);
  }
  plan.lower_bound = largest_live_sum(blocks, alignment);

  std::vector<std::size_t> by_size(blocks.size());
  std::iota(by_size.begin(), by_size.end(), 0);
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](auto a, auto b) { return blocks[a].bytes > blocks[b].bytes; });

  std::vector<std::size_t> placed;  // in order of their offsets
  for (const auto i : by_size) {
    const std::int64_t bytes = align_up(blocks[i].bytes, alignment);
    std::int64_t offset = 0;
    if (reuse) {
      for (const auto j : placed)
        if (alive_together(blocks[i], blocks[j])) {
          if (plan.offsets[j] >= offset + bytes) break;  // fits in the gap before j
          offset = std::max(offset, plan.offsets[j] + align_up(blocks[j].bytes, alignment));
        }
    } else {
      offset = plan.arena_bytes;
    }
    plan.offsets[i] = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + bytes);
    const auto after = std::upper_bound(placed.begin(), placed.end(), offset,
                                        [&](std::int64_t o, auto j) { return o < plan.offsets[j]; });
    placed.insert(after, i);
  }
  return plan;
}

}  // namespace chiaro
