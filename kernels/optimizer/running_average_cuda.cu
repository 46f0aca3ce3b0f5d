#include "kernels/cuda/elementwise.cuh"
#include "kernels/optimizer/running_average_cuda.hpp"

namespace chiaro::running_average::cuda {

namespace {

struct Step {
  const float *rate, *p;
  float* a;

  template <int V>
  __device__ void run(std::int64_t i) const {
    float now[V], average[V];
    load<V>(p + i, now);
    load<V>(a + i, average);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) average[k] = fmaf(*rate, now[k] - average[k], average[k]);
    store<V>(a + i, average);
  }
};

}  // namespace

void step(CudaStream stream, const float* rate, std::int64_t count, const float* p, float* a) {
  launch_elementwise<4>("running_average", stream, Step{rate, p, a}, count, all_aligned(p, a));
}

}  // namespace chiaro::running_average::cuda
