// What every loss of kernels/losses promises, checked on the device under test.
#pragma once
#include "kernels/losses/losses.hpp"
#include "tests/kernels/every_device.hpp"

namespace chiaro::testing {

struct LossCase {
  Shape shape;
  double scale = 1, gradient_scale = 1;  // of the request
  double value = 0;                      // expected
  std::vector<double> gradient;          // expected
  double tolerance = 2e-7;               // of the value on the CPU; GPUs add squares in fp32
  Words value_launches, gradient_launches, both_launches;
};

// run(context, request, inputs) computes the loss; make(context) makes its inputs, workspace(context) gives
// the bytes. Value and gradient alone and together, overwritten and added, D the gradient's type.
template <class D, class Make, class WorkspaceBytes, class Run>
void check_loss(const LossCase& c, std::int64_t offset, Make&& make, WorkspaceBytes&& workspace_bytes,
                Run&& run) {
  INFO(to_string(c.shape), ", offset ", offset);
  const auto old = random_values<D>(c.shape.count(), 9);
  const auto added = sum_of(c.gradient, old);
  const double tolerance = on_cpu() ? c.tolerance : 1e-6;
  check_every_order(
      [&](Context& context) {
        const auto inputs = make(context);
        const Workspace workspace(context, workspace_bytes(context));
        OpArray<float> both(context, 1), alone(context, 1);
        OpArray<D> gradient(context, c.shape.count(), offset), only(context, c.shape.count(), offset),
            sum(context, old, offset);
        losses::Request request{
            .scale = c.scale, .gradient_scale = c.gradient_scale, .workspace = workspace.data()};
        const auto ask = [&](float* value, const OpArray<D>& to, GradientMode mode, const Words& launches) {
          request.value = value;
          request.gradient = to.view(c.shape);
          request.mode = mode;
          check_launches(launches, context, [&] { run(context, *inputs, request); });
        };
        ask(both.data(), gradient, GradientMode::Overwrite, c.both_launches);
        ask(alone.data(), sum, GradientMode::Ignore, c.value_launches);
        CHECK(same_bits(sum.host(), old));
        ask(nullptr, only, GradientMode::Overwrite, c.gradient_launches);
        ask(nullptr, sum, GradientMode::Ignore, {});
        CHECK(same_bits(sum.host(), old));
        ask(nullptr, sum, GradientMode::Accumulate, c.gradient_launches);
        CHECK(std::abs(double(both.first()) - c.value) <= tolerance * c.value);
        CHECK(same_bits(alone.host(), both.host()));
        CHECK(same_bits(only.host(), gradient.host()));
        check_close(c.gradient, gradient.host(), convert<D>(convert<float>(c.gradient)), 4);
        check_close(added, sum.host(), convert<D>(convert<float>(added)), 4);
        return OpBits() << both << gradient << sum;
      },
      c.shape.count());
}

// The inputs of a loss of two tensors, and of one.
template <class A, class B>
struct PairInputs {
  OpArray<A> a;
  OpArray<B> b;
};

// Value, then gradient, of values worked by hand: run(context, request).
template <class Run>
std::vector<float> value_and_gradient(const Shape& s, std::int64_t workspace_bytes, Context& context,
                                      double scale, double gradient_scale, Run&& run) {
  OpArray<float> value(context, 1), gradient(context, s.count());
  const Workspace workspace(context, workspace_bytes);
  run(losses::Request{.value = value.data(),
                      .scale = scale,
                      .gradient = gradient.view(s),
                      .mode = GradientMode::Overwrite,
                      .gradient_scale = gradient_scale,
                      .workspace = workspace.data()});
  std::vector<float> all = value.host();
  for (const float g : gradient.host()) all.push_back(g);
  return all;
}

}  // namespace chiaro::testing
