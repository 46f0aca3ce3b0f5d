#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/grid_sum.cuh"
#include "kernels/losses/losses_cuda.hpp"

namespace chiaro::losses::cuda {

namespace {

template <class T, class D>
struct TotalVariation {
  const T* x;
  D* dx;  // may be null
  unsigned H, W, channels;
  double scale_x, scale_y;
  float slope_x, slope_y;  // of the gradient
  bool accumulate;

  // Adds the squared differences between two pixels to `squares`, and factor * difference to the gradient.
  template <int V>
  __device__ static float difference(const T* to, const float (&from)[V], float factor, float (&g)[V]) {
    float v[V], squares = 0;
    load<V>(to, v);
    CHIARO_UNROLL
    for (int k = 0; k < V; ++k) {
      v[k] -= from[k];
      squares = fmaf(v[k], v[k], squares);
      g[k] = fmaf(-factor, v[k], g[k]);
    }
    return squares;
  }

  template <int V>
  __device__ double run(std::int64_t i) const {
    const unsigned pixel = unsigned(i) / channels, w = pixel % W, h = pixel / W % H;
    const std::int64_t row = std::int64_t(W) * channels;
    float self[V], g[V] = {}, horizontal = 0, vertical = 0;
    load<V>(x + i, self);
    if (w + 1 < W) horizontal = difference<V>(x + i + channels, self, slope_x, g);
    if (h + 1 < H) vertical = difference<V>(x + i + row, self, slope_y, g);
    if (dx) {
      if (w > 0) difference<V>(x + i - channels, self, slope_x, g);
      if (h > 0) difference<V>(x + i - row, self, slope_y, g);
      store_gradient<V>(dx + i, g, accumulate);
    }
    return scale_x * double(horizontal) + scale_y * double(vertical);
  }
};

}  // namespace

void tv(CudaStream stream, ConstTensorView x, const Request& request) {
  const Shape& s = x.shape;
  require(s.count() <= 0x7fffffff, "total_variation: {} is too large", to_string(s));
  const auto per_difference = [](double total, std::int64_t differences) {
    return differences > 0 ? total / static_cast<double>(differences) : 0.0;
  };
  const std::int64_t across = s.n * s.h * (s.w - 1) * s.c, down = s.n * (s.h - 1) * s.w * s.c;
  visit_dtypes(x.dtype, request.gradient_dtype(), [&](auto tx, auto td) {
    using T = decltype(tx);
    using D = decltype(td);
    constexpr int kVector = kVectorOf<T, D>;
    const TotalVariation<T, D> op{.x = x.as<T>(),
                                  .dx = request.gradient_as<D>(),
                                  .H = unsigned(s.h),
                                  .W = unsigned(s.w),
                                  .channels = unsigned(s.c),
                                  .scale_x = per_difference(request.scale, across),
                                  .scale_y = per_difference(request.scale, down),
                                  .slope_x = float(2 * per_difference(request.gradient_scale, across)),
                                  .slope_y = float(2 * per_difference(request.gradient_scale, down)),
                                  .accumulate = request.accumulates()};
    launch_grid_sum<kVector>("total_variation", stream, op, s.count(),
                             s.c % kVector == 0 && all_aligned(op.x, op.dx), request.workspace,
                             request.value);
  });
}

}  // namespace chiaro::losses::cuda
