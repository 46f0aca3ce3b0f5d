#include "kernels/optimizer/running_average.hpp"

#include "kernels/base/argument_checks.hpp"
#include "kernels/base/on_device.hpp"
#include "kernels/optimizer/running_average_cuda.hpp"

namespace chiaro::running_average {

void step(Context& context, const float* rate, std::int64_t count, const float* p, float* a) {
  const char* op = "running_average";
  check_array(op, "rate", rate);
  check_array(op, "p", p);
  check_array(op, "a", a);
  on_device(
      context, [&] { cpu::step(*rate, count, p, a); },
      [&](auto stream) { cuda::step(stream, rate, count, p, a); });
}

}  // namespace chiaro::running_average
