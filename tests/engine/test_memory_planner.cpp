#include <doctest/doctest.h>

#include "engine/memory_planner.hpp"
#include "engine/rng.hpp"
#include "kernels/base/error.hpp"

using namespace chiaro;

namespace {

std::vector<MemoryBlock> random_blocks(std::uint64_t seed, std::int64_t count) {
  const Rng rng(seed, 7);
  std::vector<MemoryBlock> blocks;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto c = static_cast<std::uint64_t>(3 * i);
    const std::int64_t first = rng.below(c, 40);
    blocks.push_back({rng.below(c + 1, 5000), first, first + rng.below(c + 2, 15)});
  }
  return blocks;
}

bool overlap_in_time(const MemoryBlock& a, const MemoryBlock& b) {
  return !(a.last_step < b.first_step || b.last_step < a.first_step);
}

}  // namespace

TEST_CASE("memory_planner: blocks alive together never share bytes, on random lifetimes") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto blocks = random_blocks(seed, 1 + static_cast<std::int64_t>(seed) % 60);
    for (const auto& [reuse, alignment] :
         {std::pair{true, kHostAlignment}, {false, kHostAlignment}, {true, kDeviceAlignment}}) {
      const MemoryPlan plan = plan_memory(blocks, reuse, alignment);
      for (std::size_t i = 0; i < blocks.size(); ++i) {
        CHECK(plan.offsets[i] % alignment == 0);
        CHECK(plan.offsets[i] + blocks[i].bytes <= plan.arena_bytes);
        for (std::size_t j = 0; j < i; ++j) {
          if (reuse && !overlap_in_time(blocks[i], blocks[j])) continue;
          const bool apart = plan.offsets[i] + blocks[i].bytes <= plan.offsets[j] ||
                             plan.offsets[j] + blocks[j].bytes <= plan.offsets[i];
          REQUIRE(apart);
        }
      }
      CHECK(plan.arena_bytes >= plan.lower_bound);
      CHECK(plan.arena_bytes <= plan.unshared_bytes);
      if (!reuse) CHECK(plan.arena_bytes == plan.unshared_bytes);
    }
  }
}

TEST_CASE("memory_planner: a chain of equal tensors needs two of them") {
  std::vector<MemoryBlock> chain;
  for (int i = 0; i < 10; ++i) chain.push_back({1024, i, i + 1});
  const MemoryPlan plan = plan_memory(chain);
  CHECK(plan.arena_bytes == 2048);
  CHECK(plan.lower_bound == 2048);
  CHECK(plan.unshared_bytes == 10240);
}

TEST_CASE("memory_planner: a gap between larger neighbors is used") {
  const std::vector<MemoryBlock> blocks{{256, 0, 9}, {128, 0, 3}, {64, 0, 9}, {128, 4, 9}};
  CHECK(plan_memory(blocks).arena_bytes == 256 + 128 + 64);
}

TEST_CASE("memory_planner: a lifetime that ends before it begins is an error") {
  const std::vector<MemoryBlock> blocks{{64, 3, 2}};
  CHECK_THROWS_WITH_AS(plan_memory(blocks), "memory planner: block of 64 bytes lives from step 3 to 2",
                       Error);
}
