// The ops that networks call, through their public functions, on both devices; losses are in tests/kernels.
#include "kernels/elementwise/elementwise.hpp"
#include "kernels/elementwise/image_convert.hpp"
#include "kernels/gram/gram.hpp"
#include "kernels/norm/batch_norm_training.hpp"
#include "kernels/norm/instance_norm.hpp"
#include "kernels/optimizer/adam.hpp"
#include "kernels/optimizer/sgd.hpp"
#include "kernels/pad/pad.hpp"
#include "kernels/pixel_shuffle/pixel_shuffle.hpp"
#include "kernels/pool/max_pool.hpp"
#include "kernels/resample/upsample.hpp"
#include "tests/device_emulated/both_devices.hpp"
#include "tests/support/compare.hpp"

namespace chiaro::both_devices {

using test::error_of;

namespace {

constexpr Shape kOpShape{2, 6, 8, 8};

}  // namespace

TEST_CASE_TEMPLATE("ops on both devices: element by element", T, float, bf16) {
  check_same(kTolerance<T>, [](Context& context, Arrays& a) {
    const auto x = a.input<T>(kOpShape, 1), dy = a.input<T>(kOpShape, 2);
    auto y = a.output<T>(kOpShape);
    relu_forward(context, x, y);
    relu_backward(context, y, dy, a.output<T>(kOpShape), kOverwrite);
    relu_backward(context, y, dy, a.changed<T>(kOpShape, 3), kAccumulate);
    y = a.output<T>(kOpShape);
    tanh_output_forward(context, x, y);
    tanh_output_backward(context, y, dy, a.output<T>(kOpShape), kOverwrite);
    const float* mean = a.input(normal_values<float>(kOpShape.c, 4));
    const float* scale = a.input(normal_values<float>(kOpShape.c, 5));
    channel_affine_forward(context, x, mean, scale, a.output<T>(kOpShape));
    channel_affine_backward(context, dy, scale, a.changed<T>(kOpShape, 6), kAccumulate);
    copy(context, x, a.output<T>(kOpShape), kOverwrite);
    copy(context, x, a.output<float>(kOpShape), kOverwrite);
    copy(context, x, a.changed<T>(kOpShape, 7), kAccumulate);
    copy(context, x, {}, GradientMode::Ignore);
  });
}

TEST_CASE("ops on both devices: pictures as bytes") {
  const Shape s{2, 5, 7, 3};
  check_same(0, [&](Context& context, Arrays& a) {
    std::vector<std::uint8_t> rgb(static_cast<std::size_t>(s.count()));
    for (std::size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<std::uint8_t>(37 * i);
    const auto y = a.output<float>(s);
    image_convert::to_tensor(context, a.input(rgb), y);
    auto* bytes = a.output<std::uint8_t>(s.count());
    image_convert::to_bytes(context, y, bytes);
  });
}

TEST_CASE_TEMPLATE("ops on both devices: borders and windows", T, float, bf16) {
  for (const PadMode mode : {PadMode::Reflect, PadMode::Replicate})
    check_same(kTolerance<T>, [&](Context& context, Arrays& a) {
      const Pad border{1, 2, 3, 0, mode};
      const Shape outer = border.outer(kOpShape);
      pad::forward(context, a.input<T>(kOpShape, 1), a.output<T>(outer), border);
      pad::backward(context, a.input<T>(outer, 2), a.changed<T>(kOpShape, 3), kAccumulate, border);
      pad::fill_in_place(context, a.changed<T>(outer, 4), border);
      pad::fold_in_place(context, a.changed<T>(outer, 5), border);
      const Shape window{2, 3, 4, 8};
      pad::crop_forward(context, a.input<T>(kOpShape, 6), a.output<T>(window), 1, 2);
      pad::crop_backward(context, a.input<T>(window, 7), a.output<T>(kOpShape), kOverwrite, 1, 2);
    });
}

TEST_CASE_TEMPLATE("ops on both devices: instance norm", T, float, bf16) {
  check_same(kTolerance<T>, [](Context& context, Arrays& a) {
    instance_norm::Attributes attributes{.relu = true, .out_pad = Pad::uniform(1)};
    const Shape outer = attributes.out_pad.outer(kOpShape);
    const auto x = a.input<T>(kOpShape, 1, 0.5f), residual = a.input<T>(kOpShape, 2);
    const float* gamma = a.input(normal_values<float>(kOpShape.c, 3, 1));
    const float* beta = a.input(normal_values<float>(kOpShape.c, 4));
    auto* mean = a.output<float>(kOpShape.n * kOpShape.c);
    auto* rstd = a.output<float>(kOpShape.n * kOpShape.c);
    instance_norm::forward(
        context, {.x = x,
                  .gamma = gamma,
                  .beta = beta,
                  .residual = residual,
                  .y = a.output<T>(outer),
                  .mean = mean,
                  .rstd = rstd,
                  .workspace = a.workspace(instance_norm::forward_workspace_bytes(context, kOpShape)),
                  .attr = attributes});
    instance_norm::backward(
        context, {.x = x,
                  .gamma = gamma,
                  .beta = beta,
                  .mean = mean,
                  .rstd = rstd,
                  .dy = a.input<T>(outer, 5),
                  .dx = a.changed<T>(kOpShape, 6),
                  .dx_mode = kAccumulate,
                  .dgamma = a.output<float>(kOpShape.c),
                  .dbeta = a.output<float>(kOpShape.c),
                  .param_mode = kOverwrite,
                  .dresidual = a.output<T>(kOpShape),
                  .dresidual_mode = kOverwrite,
                  .workspace = a.workspace(instance_norm::backward_workspace_bytes(context, kOpShape)),
                  .attr = attributes});
  });
}

TEST_CASE_TEMPLATE("ops on both devices: batch norm in training", T, float, bf16) {
  namespace training = batch_norm::training;
  check_same(kTolerance<T>, [](Context& context, Arrays& a) {
    const auto x = a.input<T>(kOpShape, 1, 0.5f);
    const float* scale = a.input(normal_values<float>(kOpShape.c, 3, 1));
    const float* offset = a.input(normal_values<float>(kOpShape.c, 4));
    auto* mean = a.output<float>(kOpShape.c);
    auto* rstd = a.output<float>(kOpShape.c);
    const auto y = a.output<T>(kOpShape);
    training::forward(context,
                      {.x = x,
                       .scale = scale,
                       .offset = offset,
                       .residual = a.input<T>(kOpShape, 2),
                       .y = y,
                       .mean = mean,
                       .rstd = rstd,
                       .running_mean = a.changed(normal_values<float>(kOpShape.c, 5)),
                       .running_variance = a.changed(normal_values<float>(kOpShape.c, 6, 3)),
                       .workspace = a.workspace(training::forward_workspace_bytes(context, kOpShape)),
                       .attr = {.relu = true}});
    training::backward(context,
                       {.x = x,
                        .y = y,
                        .scale = scale,
                        .mean = mean,
                        .rstd = rstd,
                        .dy = a.input<T>(kOpShape, 7),
                        .dx = a.output<T>(kOpShape),
                        .dscale = a.output<float>(kOpShape.c),
                        .doffset = a.output<float>(kOpShape.c),
                        .dresidual = a.changed<T>(kOpShape, 8),
                        .dresidual_mode = kAccumulate,
                        .workspace = a.workspace(training::backward_workspace_bytes(context, kOpShape)),
                        .attr = {.relu = true}});
  });
}

TEST_CASE_TEMPLATE("ops on both devices: Gram matrix", T, float, bf16) {
  check_same(kTolerance<T>, [](Context& context, Arrays& a) {
    const auto f = a.input<T>(kOpShape, 1);
    auto* g = a.output<float>(kOpShape.n * kOpShape.c * kOpShape.c);
    gram::forward(context, f, g, 0.01f, a.workspace(gram::forward_workspace_bytes(context, kOpShape)));
    gram::backward(context, f, g, 0.5f, a.changed<T>(kOpShape, 4), kAccumulate,
                   a.workspace(gram::backward_workspace_bytes(context, kOpShape, dtype_of<T>)));
  });
}

TEST_CASE_TEMPLATE("ops on both devices: interleave, upsample, max pool", T, float, bf16) {
  check_same(kTolerance<T>, [](Context& context, Arrays& a) {
    const Shape doubled{2, 12, 16, 8};
    std::array<pixel_shuffle::Source, 4> sources;
    std::array<pixel_shuffle::Target, 4> targets;
    for (unsigned i = 0; i < 4; ++i) {
      sources[i] = {a.input<T>(kOpShape, i)};
      targets[i] = {a.output<T>(kOpShape)};
    }
    const auto dy = a.input<T>(doubled, 9);
    pixel_shuffle::forward(
        context,
        {.sources = sources, .add = a.input<T>(doubled, 8), .y = a.output<T>(doubled), .relu = true});
    pixel_shuffle::backward(context, {.dy = dy, .targets = targets, .zero_rest = true});
    upsample::upsample_nearest_forward(context, sources[0].t, a.output<T>(doubled));
    upsample::upsample_nearest_backward(context, dy, a.changed<T>(kOpShape, 10), kAccumulate);
    auto* folded = a.output<float>(16 * 4 * 3);
    upsample::fold_weights(context, a.input(normal_values<float>(9 * 4 * 3, 13)), 4, 3, folded);
    upsample::unfold_gradient(context, folded, 4, 3, a.output<float>(9 * 4 * 3), kOverwrite);
    const auto x = a.input<T>({2, 7, 9, 8}, 11);
    const max_pool::Attributes window{.window = 3, .stride = 2, .pad_top = 1, .pad_left = 1};
    const auto y = a.output<T>(max_pool::output_shape(x.shape, window));
    max_pool::forward(context, x, y, window);
    max_pool::backward(context, x, y, a.input<T>(y.shape, 12), a.output<T>(x.shape), kOverwrite, window);
  });
}

TEST_CASE("ops on both devices: optimizers, with factors by value and in memory") {
  constexpr std::int64_t kCount = 1003;
  check_same(kTolerance<float>, [](Context& context, Arrays& a) {
    const float* g = a.input(normal_values<float>(kCount, 1));
    const adam::Hyper adam{.lr = 0.1, .weight_decay = 0.01};
    const sgd::Hyper sgd{.lr = 0.1, .weight_decay = 0.01};
    for (const bool in_memory : {false, true}) {
      auto* p = a.changed(normal_values<float>(kCount, 2));
      auto* m = a.changed(normal_values<float>(kCount, 3));
      auto* v = a.changed(std::vector<float>(kCount, 0.5f));
      if (in_memory) {
        adam::step(context, a.input(std::vector{adam::factors(adam, 3)}), kCount, g, p, m, v);
        sgd::step(context, a.input(std::vector{sgd::factors(sgd)}), kCount, g, p, v);
      } else {
        adam::step(context, adam, 3, kCount, g, p, m, v);
        sgd::step(context, sgd, kCount, g, p, v);
      }
    }
    adam::gradient_norm(context, kCount, g, a.output<double>(1),
                        a.workspace(adam::gradient_norm_workspace_bytes(context)));
    CHECK(adam::gradient_norm(context, kCount, g) == doctest::Approx(31.7).epsilon(0.1));
  });
}

TEST_CASE("ops on both devices: what runs on the CPU only says so") {
  Context context(Device::Cuda, 1);
  const Buffer memory(6 * 8 * 8 * 4, "a test's band", MemoryKind::Device);
  const TensorView band{memory.data(), DType::F32, {1, 6, 8, 8}};
  double statistics[16];
  instance_norm::Moments moments{statistics, statistics + 8, 0};
  CHECK(error_of([&] { instance_norm::accumulate_moments(context, band, moments, memory.data()); }) ==
        "instance_norm accumulate_moments: runs on the CPU only");
}

}  // namespace chiaro::both_devices
