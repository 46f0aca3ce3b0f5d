#include "kernels/pool/max_pool.hpp"

#include <algorithm>

#include "kernels/base/on_device.hpp"
#include "kernels/pool/max_pool_cuda.hpp"

namespace chiaro::max_pool {

Attributes tf_same(Shape x, std::int64_t window, std::int64_t stride) {
  const auto padding = [&](std::int64_t extent) {
    const std::int64_t outputs = (extent + stride - 1) / stride;
    return std::max<std::int64_t>(0, (outputs - 1) * stride + window - extent);
  };
  const std::int64_t rows = padding(x.h), columns = padding(x.w);
  return {window, stride, rows / 2, columns / 2, rows - rows / 2, columns - columns / 2};
}

Shape output_shape(Shape x, const Attributes& a) {
  require(a.window > 0 && a.stride > 0, "max_pool: window {} and stride {}: both must be positive", a.window,
          a.stride);
  for (const std::int64_t pad : {a.pad_top, a.pad_left, a.pad_bottom, a.pad_right})
    require(pad >= 0 && pad < a.window, "max_pool: padding {} is not within 0..window-1 (window {})", pad,
            a.window);
  const std::int64_t h = x.h + a.pad_top + a.pad_bottom, w = x.w + a.pad_left + a.pad_right;
  require(h >= a.window && w >= a.window, "max_pool: a window of {} does not fit x {} with its padding",
          a.window, to_string(x));
  return {x.n, (h - a.window) / a.stride + 1, (w - a.window) / a.stride + 1, x.c};
}

namespace {

void check_pair(const char* x_name, ConstTensorView x, const char* y_name, ConstTensorView y,
                const Attributes& attributes) {
  require(x && y, "max_pool: {} and {} must both be given", x_name, y_name);
  require(x.dtype == y.dtype, "max_pool: {} is {}, but {} is {}", y_name, name_of(y.dtype), x_name,
          name_of(x.dtype));
  const Shape expected = output_shape(x.shape, attributes);
  require(y.shape == expected, "max_pool: {} has shape {}, expected {}", y_name, to_string(y.shape),
          to_string(expected));
}

}  // namespace

void forward(Context& context, ConstTensorView x, TensorView y, const Attributes& attributes) {
  check_pair("x", x, "y", y, attributes);
  on_device(
      context, [&] { cpu::forward(x, y, attributes); },
      [&](auto stream) { cuda::forward(stream, x, y, attributes); });
}

void backward(Context& context, ConstTensorView x, ConstTensorView y, ConstTensorView dy, TensorView dx,
              GradientMode mode, const Attributes& attributes, bool relu) {
  if (mode == GradientMode::Ignore) return;
  check_pair("x", x, "y", y, attributes);
  check_pair("x", x, "dy", dy, attributes);
  check_pair("dx", dx, "y", y, attributes);
  require(dx.shape == x.shape, "max_pool: dx has shape {}, expected {}", to_string(dx.shape),
          to_string(x.shape));
  on_device(
      context, [&] { cpu::backward(x, y, dy, dx, mode == GradientMode::Accumulate, attributes, relu); },
      [&](auto stream) {
        cuda::backward(stream, x, y, dy, dx, mode == GradientMode::Accumulate, attributes, relu);
      });
}

}  // namespace chiaro::max_pool
