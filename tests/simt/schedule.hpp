// In which order the emulator runs the threads and blocks of a kernel. On a GPU the hardware decides.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace simt {

enum class Order {
  forward,        // round robin over the threads of a block, lowest first; blocks in order
  drain,          // warp-greedy: one warp runs until it must wait for the block, then the next one
  drain_reverse,  // the same from the last warp and the last block to the first
  shuffle,        // random warp for a random while, random lanes and blocks; reproducible from the seed
};

struct Schedule {
  Order order = Order::forward;
  std::uint64_t seed = 0;  // shuffle only
};

std::string to_string(const Schedule&);
Schedule& current_schedule();
// forward, drain, drain_reverse and two shuffles; forward alone with the race detector, whose verdict does
// not depend on the order
std::vector<Schedule> all_schedules();

// run() prepares inputs, launches kernels and returns a vector of plain values with everything they wrote. It
// is called once per schedule. Returns "" when all results have the same bits, else a sentence that names the
// first difference.
template <class Run>
std::string compare_schedules(Run&& run) {
  const Schedule before = current_schedule();
  decltype(run()) first;
  std::string difference;
  for (const Schedule& schedule : all_schedules()) {
    current_schedule() = schedule;
    auto result = run();
    if (first.empty()) first = result;
    std::size_t different = 0, where = 0;
    for (std::size_t i = 0; i < result.size(); ++i)
      if (std::memcmp(&result[i], &first[i], sizeof result[i]) != 0 && different++ == 0) where = i;
    if (different != 0) {
      difference = std::to_string(different) + " of " + std::to_string(result.size()) +
                   " values differ between forward and " + to_string(schedule) + ", the first at index " +
                   std::to_string(where);
      break;
    }
  }
  current_schedule() = before;
  return difference;
}

}  // namespace simt
