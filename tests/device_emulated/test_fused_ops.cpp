// The ops that do in one call what took several, through their public functions on both devices.
#include "kernels/pixel_shuffle/pixel_shuffle.hpp"
#include "kernels/pool/max_pool.hpp"
#include "tests/device_emulated/both_devices.hpp"

namespace chiaro::both_devices {

TEST_CASE_TEMPLATE("fused ops on both devices: a pool that masks for the ReLU before it", T, float, bf16) {
  check_same(kTolerance<T>, [](Context& context, Arrays& a) {
    const auto x = a.input<T>({2, 7, 9, 8}, 1, -1.0f);
    const auto y = a.output<T>(max_pool::output_shape(x.shape, {}));
    max_pool::forward(context, x, y);
    const auto dy = a.input<T>(y.shape, 2);
    max_pool::backward(context, x, y, dy, a.output<T>(x.shape), kOverwrite, {}, true);
    max_pool::backward(context, x, y, dy, a.changed<T>(x.shape, 3), kAccumulate, {}, true);
  });
}

TEST_CASE_TEMPLATE("fused ops on both devices: interleave backward through ReLU and sum", T, float, bf16) {
  for (const GradientMode mode : {kOverwrite, kAccumulate})
    check_same(kTolerance<T>, [mode](Context& context, Arrays& a) {
      const Shape doubled{2, 12, 16, 8}, wide{2, 6, 8, 16};
      std::array<pixel_shuffle::Target, 4> targets;
      for (unsigned i = 0; i < 4; ++i) targets[i] = {a.changed<T>(wide, i), 0, 0, 8};
      pixel_shuffle::BackwardArgs args{.dy = a.input<T>(doubled, 5),
                                       .targets = targets,
                                       .zero_rest = mode == kOverwrite,
                                       .y = a.input<T>(doubled, 6),
                                       .dadd = a.changed<T>(doubled, 7),
                                       .dadd_mode = mode};
      pixel_shuffle::backward(context, args);
    });
}

}  // namespace chiaro::both_devices
