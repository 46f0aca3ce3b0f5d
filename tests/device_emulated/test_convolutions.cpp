// Convolution plans on both devices: the GPU's are our own kernels under emulation, cuDNN's on a GPU.
#include "kernels/conv2d/conv2d.hpp"
#include "kernels/conv2d/conv_transpose2d.hpp"
#include "kernels/elementwise/elementwise.hpp"
#include "tests/device_emulated/both_devices.hpp"

namespace chiaro::both_devices {

namespace {

using conv2d::Pass;

// dw comes from sums over all pixels of rounded products: with bf16 operands their errors add up.
template <class T>
void check_convolution(conv2d::Problem problem) {
  problem.dtype = problem.y_dtype = dtype_of<T>;
  CAPTURE(to_string(problem));
  check_same(4 * kTolerance<T>, [&](Context& context, Arrays& a) {
    const auto plan = conv2d::Plan::make(context, problem);
    const float* w = a.input(normal_values<float>(problem.weight_count(), 1));
    const float* bias = problem.bias ? a.input(normal_values<float>(problem.k, 2)) : nullptr;
    const auto packed = [&](Pass pass) {
      void* memory = a.workspace(plan->packed_bytes(pass));
      plan->pack(context, pass, w, memory);
      return memory;
    };
    const auto space = [&](Pass pass) { return a.workspace(plan->workspace_bytes(pass)); };
    const auto x = a.input<T>(problem.x, 3), dy = a.input<T>(problem.y(), 4);
    const Shape k{1, 1, 1, problem.k};
    const TensorView own_bias{a.workspace(problem.k * size_of(plan->bias_dtype())), plan->bias_dtype(), k};
    if (bias) copy(context, {bias, DType::F32, k}, own_bias, kOverwrite);
    const auto forward = [&](ConstTensorView residual) {
      plan->forward(context, x, packed(Pass::Forward), bias ? own_bias.data : nullptr,
                    a.changed<T>(problem.y(), 5), space(Pass::Forward), residual);
    };
    forward({});
    if (problem.accumulate) forward(a.input<T>(problem.y(), 9));
    for (const GradientMode mode : {kOverwrite, kAccumulate}) {
      plan->backward_data(context, dy, packed(Pass::BackwardData), a.changed<T>(problem.x, 6), mode,
                          space(Pass::BackwardData));
      plan->backward_weights(context, x, dy, a.changed(normal_values<float>(problem.weight_count(), 7)),
                             bias ? a.changed(normal_values<float>(problem.k, 8)) : nullptr, mode,
                             space(Pass::BackwardWeights));
    }
  });
}

}  // namespace

TEST_CASE_TEMPLATE("convolutions on both devices: every pass", T, float, bf16) {
  check_convolution<T>(
      {.x = {2, 7, 9, 8}, .k = 16, .r = 3, .s = 3, .pad = {1, 1, 1, 1}, .bias = true, .relu = true});
  check_convolution<T>({.x = {1, 12, 11, 3}, .k = 5, .r = 7, .s = 7, .stride = 2, .pad = {3, 3, 3, 3}});
  check_convolution<T>({.x = {1, 5, 6, 16}, .k = 4, .r = 1, .s = 1, .bias = true, .accumulate = true});
}

TEST_CASE_TEMPLATE("convolutions on both devices: transposed", T, float, bf16) {
  const conv_transpose2d::Problem problem{.x = {1, 5, 4, 8}, .k = 8, .dtype = dtype_of<T>};
  check_same(4 * kTolerance<T>, [&](Context& context, Arrays& a) {
    const auto plan = conv_transpose2d::Plan::make(context, problem);
    const float* w = a.input(normal_values<float>(9 * 8 * 8, 1));
    const auto packed = [&](Pass pass) {
      void* memory = a.workspace(plan->packed_bytes(pass));
      plan->pack(context, pass, w, memory);
      return memory;
    };
    const auto space = [&](Pass pass) { return a.workspace(plan->workspace_bytes(pass)); };
    const auto x = a.input<T>(problem.x, 3), dy = a.input<T>(plan->problem().y(), 4);
    plan->forward(context, x, packed(Pass::Forward), a.output<T>(plan->problem().y()), space(Pass::Forward));
    plan->backward_data(context, dy, packed(Pass::BackwardData), a.changed<T>(problem.x, 5), kAccumulate,
                        space(Pass::BackwardData));
    plan->backward_weights(context, x, dy, a.output<float>(9 * 8 * 8), kOverwrite,
                           space(Pass::BackwardWeights));
  });
}

}  // namespace chiaro::both_devices
