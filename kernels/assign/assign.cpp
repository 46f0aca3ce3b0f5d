#include "kernels/assign/assign.hpp"

#include "kernels/assign/assign_cuda.hpp"
#include "kernels/common/on_device.hpp"
#include "kernels/common/rows.hpp"

namespace chiaro::assign {

void run(Context& context, ConstTensorView x, TensorView y, GradientMode mode) {
  if (mode == GradientMode::Ignore) return;
  check_present("assign", "x", x);
  check_tensor("assign", "y", y, y.dtype, x.shape);
  const bool accumulate = mode == GradientMode::Accumulate;
  on_device(
      context, [&] { cpu::run(x, y, accumulate); },
      [&](auto stream) { cuda::run(stream, x, y, accumulate); });
}

}  // namespace chiaro::assign
