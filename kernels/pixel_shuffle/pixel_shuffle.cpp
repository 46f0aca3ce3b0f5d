#include "kernels/pixel_shuffle/pixel_shuffle.hpp"

#include "kernels/base/on_device.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/pixel_shuffle/pixel_shuffle_cuda.hpp"

namespace chiaro::pixel_shuffle {

namespace {

void check_even(const char* op, const char* name, const Shape& y) {
  require(y.h % 2 == 0 && y.w % 2 == 0, "{}: {} has shape {}, expected an even height and width", op, name,
          to_string(y));
}

template <class View>
void check_windows(const char* op, const std::array<Window<View>, 4>& windows, DType dtype, const Shape& y) {
  for (int k = 0; k < 4; ++k) {
    const auto& w = windows[k];
    require(bool(w.t), "{}: the tensor of phase {} is missing", op, k);
    require(w.t.dtype == dtype, "{}: the tensor of phase {} is {}, expected {}", op, k, name_of(w.t.dtype),
            name_of(dtype));
    const Shape& s = w.t.shape;
    const bool inside = s.n == y.n && w.row0 >= 0 && w.col0 >= 0 && w.channel0 >= 0 &&
                        w.row0 + y.h / 2 <= s.h && w.col0 + y.w / 2 <= s.w && w.channel0 + y.c <= s.c;
    require(inside, "{}: phase {} needs a window {} at row {}, column {}, channel {} of a tensor {}", op, k,
            to_string({y.n, y.h / 2, y.w / 2, y.c}), w.row0, w.col0, w.channel0, to_string(s));
  }
}

}  // namespace

void forward(Context& context, const ForwardArgs& args) {
  const char* op = "pixel_shuffle forward";
  check_present(op, "y", args.y);
  check_even(op, "y", args.y.shape);
  check_windows(op, args.sources, args.y.dtype, args.y.shape);
  if (args.add) check_tensor(op, "add", args.add, args.y.dtype, args.y.shape);
  on_device(
      context, [&] { cpu::forward(args); }, [&](auto stream) { cuda::forward(stream, args); });
}

void backward(Context& context, const BackwardArgs& args) {
  const char* op = "pixel_shuffle backward";
  check_present(op, "dy", args.dy);
  check_even(op, "dy", args.dy.shape);
  check_windows(op, args.targets, args.dy.dtype, args.dy.shape);
  if (args.y) check_tensor(op, "y", args.y, args.dy.dtype, args.dy.shape);
  if (args.dadd_mode != GradientMode::Ignore)
    check_tensor(op, "dadd", args.dadd, args.dy.dtype, args.dy.shape);
  require(args.dadd_mode != GradientMode::Accumulate || args.dadd.data != args.dy.data,
          "{}: dadd is dy, but dadd is to be added to", op);
  on_device(
      context, [&] { cpu::backward(args); }, [&](auto stream) { cuda::backward(stream, args); });
}

}  // namespace chiaro::pixel_shuffle
