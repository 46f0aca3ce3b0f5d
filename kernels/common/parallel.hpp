// Parallel loops for CPU kernels.
#pragma once
#include <cstdint>

namespace chiaro {

// Calls body(i) for 0 <= i < count on the OpenMP threads, in contiguous static chunks. Bodies must write
// disjoint data; reductions go through partial results that are added in index order afterwards.
template <class Body>
void parallel_for(std::int64_t count, Body&& body) {
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) body(i);
}

}  // namespace chiaro
