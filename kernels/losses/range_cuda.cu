#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/grid_sum.cuh"
#include "kernels/losses/losses_cuda.hpp"

namespace chiaro::losses::cuda {

namespace {

template <class T, class D>
struct Range {
  const T* x;
  D* dx;  // may be null
  float low, high;
  double scale;
  float slope;  // of the gradient
  bool accumulate;

  template <int V>
  __device__ double run(std::int64_t i) const {
    float v[V], squares = 0;
    load<V>(x + i, v);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      const float above = v[k] < low ? low : v[k];  // keeps NaN
      v[k] -= above > high ? high : above;
      squares = fmaf(v[k], v[k], squares);
      v[k] *= slope;
    }
    if (dx) store_gradient<V>(dx + i, v, accumulate);
    return scale * double(squares);
  }
};

}  // namespace

void range(CudaStream stream, ConstTensorView x, float low, float high, const Request& request) {
  visit_dtypes(x.dtype, request.gradient_dtype(), [&](auto tx, auto td) {
    using T = decltype(tx);
    using D = decltype(td);
    const Range<T, D> op{.x = x.as<T>(),
                         .dx = request.gradient_as<D>(),
                         .low = low,
                         .high = high,
                         .scale = request.scale,
                         .slope = float(2 * request.gradient_scale),
                         .accumulate = request.accumulates()};
    launch_grid_sum<kVectorOf<T, D>>("range", stream, op, x.shape.count(), all_aligned(op.x, op.dx),
                                     request.workspace, request.value);
  });
}

}  // namespace chiaro::losses::cuda
