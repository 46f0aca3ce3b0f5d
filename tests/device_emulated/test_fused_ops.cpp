// The ops that do in one call what took several, through their public functions on both devices.
#include "kernels/gram/gram.hpp"
#include "kernels/gram/style_loss.hpp"
#include "kernels/pixel_shuffle/pixel_shuffle.hpp"
#include "kernels/pool/max_pool.hpp"
#include "tests/device_emulated/both_devices.hpp"

namespace chiaro::both_devices {

namespace {

constexpr Shape kFusedShape{2, 6, 8, 8};

}  // namespace

TEST_CASE_TEMPLATE("fused ops on both devices: style loss", T, float, bf16) {
  check_same(kTolerance<T>, [](Context& context, Arrays& a) {
    const auto f = a.input<T>(kFusedShape, 1);
    auto target = normal_values<float>(kFusedShape.c * kFusedShape.c, 2);
    for (std::int64_t i = 0; i < kFusedShape.c; ++i)
      for (std::int64_t j = 0; j < i; ++j) target[i * kFusedShape.c + j] = target[j * kFusedShape.c + i];
    auto* dg = a.output<float>(kFusedShape.n * kFusedShape.c * kFusedShape.c);
    gram::style_loss(context,
                     {.f = f,
                      .target = a.input(target),
                      .scale = 0.01f,
                      .coefficient = 0.5,
                      .gradient_coefficient = 3,
                      .value = a.output<float>(1),
                      .dg = dg,
                      .workspace = a.workspace(gram::style_loss_workspace_bytes(context, kFusedShape))});
    gram::backward(context, f, dg, 0.01f, a.changed<T>(kFusedShape, 3), kAccumulate,
                   a.workspace(gram::backward_workspace_bytes(context, kFusedShape, dtype_of<T>)));
  });
}

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
