#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/grid_sum.cuh"
#include "kernels/losses/losses_cuda.hpp"

namespace chiaro::losses::cuda {

namespace {

template <class A, class B, class D>
struct Mse {
  const A* a;
  const B* b;
  D* da;                 // may be null
  std::int64_t b_count;  // b repeats after so many elements
  bool repeats;
  double scale;
  float slope;  // of the gradient
  bool accumulate;

  template <int V>
  __device__ double run(std::int64_t i) const {
    float d[V], other[V];
    load<V>(a + i, d);
    load<V>(b + (repeats ? i % b_count : i), other);
    float squares = 0;
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      d[k] -= other[k];
      squares = fmaf(d[k], d[k], squares);
      d[k] *= slope;
    }
    if (da) store_gradient<V>(da + i, d, accumulate);
    return scale * double(squares);
  }
};

}  // namespace

std::int64_t workspace_bytes() {
  return kGridSumBytes;
}

void mse(CudaStream stream, ConstTensorView a, ConstTensorView b, const Request& request) {
  const std::int64_t count = a.shape.count(), b_count = b.shape.count();
  visit_dtypes(a.dtype, b.dtype, [&](auto ta, auto tb) {
    visit_dtype(request.gradient_dtype(), [&](auto td) {
      using A = decltype(ta);
      using B = decltype(tb);
      using D = decltype(td);
      constexpr int kVector = kVectorOf<A, B, D>;
      const Mse<A, B, D> op{.a = a.as<A>(),
                            .b = b.as<B>(),
                            .da = request.gradient_as<D>(),
                            .b_count = b_count,
                            .repeats = b_count < count,
                            .scale = request.scale,
                            .slope = float(2 * request.gradient_scale),
                            .accumulate = request.accumulates()};
      const bool vectors = all_aligned(op.a, op.b, op.da) && (!op.repeats || b_count % kVector == 0);
      launch_grid_sum<kVector>("mse", stream, op, count, vectors, request.workspace, request.value);
    });
  });
}

}  // namespace chiaro::losses::cuda
