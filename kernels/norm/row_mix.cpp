#include "kernels/norm/row_mix.hpp"

#include "kernels/base/argument_checks.hpp"
#include "kernels/base/on_device.hpp"
#include "kernels/norm/row_mix_cuda.hpp"

namespace chiaro::row_mix {

namespace {

void check_sizes(const char* op, const Sizes& s) {
  require(s.pictures > 0 && s.rows > 0 && s.length > 0, "{}: {} pictures, {} rows of length {}", op,
          s.pictures, s.rows, s.length);
}

}  // namespace

void forward(Context& context, const Sizes& sizes, const float* w, const float* t, float* y) {
  const char* op = "row_mix forward";
  check_sizes(op, sizes);
  check_array(op, "w", w);
  check_array(op, "t", t);
  check_array(op, "y", y);
  on_device(
      context, [&] { cpu::forward(sizes, w, t, y); },
      [&](auto stream) { cuda::forward(stream, sizes, w, t, y); });
}

void backward(Context& context, const Sizes& sizes, const float* w, const float* dy, float* dt,
              GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  const char* op = "row_mix backward";
  check_sizes(op, sizes);
  check_array(op, "w", w);
  check_array(op, "dy", dy);
  check_array(op, "dt", dt);
  const bool accumulate = mode == GradientMode::Accumulate;
  on_device(
      context, [&] { cpu::backward(sizes, w, dy, dt, accumulate); },
      [&](auto stream) { cuda::backward(stream, sizes, w, dy, dt, accumulate); });
}

}  // namespace chiaro::row_mix
