#include "kernels/pad/pad.hpp"

#include "kernels/base/on_device.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/pad/pad_cuda.hpp"

namespace chiaro::pad {

namespace {

Shape inner_shape(const char* op, const Shape& outer, const Pad& b) {
  const Shape inner{outer.n, outer.h - b.top - b.bottom, outer.w - b.left - b.right, outer.c};
  require(inner.h > 0 && inner.w > 0, "{}: shape {} has no interior within a border of {},{},{},{}", op,
          to_string(outer), b.top, b.bottom, b.left, b.right);
  return inner;
}

void check_window(const char* op, const char* whole_name, const ConstTensorView& whole,
                  const ConstTensorView& part, std::int64_t row0, std::int64_t col0) {
  const Shape &w = whole.shape, &p = part.shape;
  require(p.n == w.n && p.c == w.c && row0 >= 0 && col0 >= 0 && row0 + p.h <= w.h && col0 + p.w <= w.w,
          "{}: a window {} at row {}, column {} does not lie within {} {}", op, to_string(p), row0, col0,
          whole_name, to_string(w));
}

}  // namespace

void check(const char* op, const Pad& b, const Shape& inner) {
  require(b.top >= 0 && b.bottom >= 0 && b.left >= 0 && b.right >= 0, "{}: negative border {},{},{},{}", op,
          b.top, b.bottom, b.left, b.right);
  if (b.mode == PadMode::Replicate) return;
  require(std::max(b.top, b.bottom) < inner.h && std::max(b.left, b.right) < inner.w,
          "{}: a reflected border of {},{},{},{} (top, bottom, left, right) needs a larger picture than {}",
          op, b.top, b.bottom, b.left, b.right, to_string(inner));
}

void forward(Context& context, ConstTensorView x, TensorView y, const Pad& border) {
  const char* op = "pad forward";
  check_present(op, "x", x);
  check(op, border, x.shape);
  check_tensor(op, "y", y, y.dtype, border.outer(x.shape));
  on_device(
      context, [&] { cpu::forward(x, y, border); },
      [&](auto stream) { cuda::forward(stream, x, y, border); });
}

void backward(Context& context, ConstTensorView dy, TensorView dx, GradientMode mode, const Pad& border) {
  if (mode == GradientMode::Ignore) return;
  const char* op = "pad backward";
  check_present(op, "dx", dx);
  check(op, border, dx.shape);
  check_tensor(op, "dy", dy, dy.dtype, border.outer(dx.shape));
  on_device(
      context, [&] { cpu::backward(dy, dx, mode == GradientMode::Accumulate, border); },
      [&](auto stream) { cuda::backward(stream, dy, dx, mode == GradientMode::Accumulate, border); });
}

void fill_in_place(Context& context, TensorView y, const Pad& border) {
  if (border.empty()) return;
  const char* op = "pad fill_in_place";
  check_present(op, "y", y);
  check(op, border, inner_shape(op, y.shape, border));
  on_device(
      context, [&] { cpu::fill_in_place(y, border); },
      [&](auto stream) { cuda::fill_in_place(stream, y, border); });
}

void fold_in_place(Context& context, TensorView dy, const Pad& border) {
  if (border.empty()) return;
  const char* op = "pad fold_in_place";
  check_present(op, "dy", dy);
  check(op, border, inner_shape(op, dy.shape, border));
  on_device(
      context, [&] { cpu::fold_in_place(dy, border); },
      [&](auto stream) { cuda::fold_in_place(stream, dy, border); });
}

void crop_forward(Context& context, ConstTensorView x, TensorView y, std::int64_t row0, std::int64_t col0) {
  const char* op = "pad crop_forward";
  check_present(op, "x", x);
  check_present(op, "y", y);
  check_window(op, "x", x, y, row0, col0);
  on_device(
      context, [&] { cpu::crop_forward(x, y, row0, col0); },
      [&](auto stream) { cuda::crop_forward(stream, x, y, row0, col0); });
}

void crop_backward(Context& context, ConstTensorView dy, TensorView dx, GradientMode mode, std::int64_t row0,
                   std::int64_t col0) {
  if (mode == GradientMode::Ignore) return;
  const char* op = "pad crop_backward";
  check_present(op, "dx", dx);
  check_present(op, "dy", dy);
  check_window(op, "dx", dx, dy, row0, col0);
  on_device(
      context, [&] { cpu::crop_backward(dy, dx, mode == GradientMode::Accumulate, row0, col0); },
      [&](auto stream) {
        cuda::crop_backward(stream, dy, dx, mode == GradientMode::Accumulate, row0, col0);
      });
}

}  // namespace chiaro::pad
