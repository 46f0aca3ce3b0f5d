#include "kernels/assign/assign_cuda.hpp"
#include "kernels/common/elementwise.cuh"

namespace chiaro::assign::cuda {

namespace {

template <class X, class Y>
struct Assign {
  const X* x;
  Y* y;
  bool accumulate;

  template <int V>
  __device__ void run(std::int64_t i) const {
    float v[V];
    load<V>(x + i, v);
    store_gradient<V>(y + i, v, accumulate);
  }
};

}  // namespace

void run(CudaStream stream, ConstTensorView x, TensorView y, bool accumulate) {
  visit_dtypes(x.dtype, y.dtype, [&](auto zx, auto zy) {
    using X = decltype(zx);
    using Y = decltype(zy);
    const Assign<X, Y> op{x.as<X>(), y.as<Y>(), accumulate};
    launch_elementwise<kVectorOf<X, Y>>("assign", stream, op, x.shape.count(), all_aligned(op.x, op.y));
  });
}

}  // namespace chiaro::assign::cuda
