// Losses, pictures as bytes, and the optimizers.
#include "benchmarks/kernel_cases/cases.hpp"
#include "kernels/elementwise/image_convert.hpp"
#include "kernels/losses/losses.hpp"
#include "kernels/optimizer/adam.hpp"
#include "kernels/optimizer/sgd.hpp"

namespace chiaro::bench {

namespace {

constexpr std::int64_t kNetworkParameters = 1'679'235;  // of the transform network

template <class... Views>
double bytes_in(const Views&... views) {
  return static_cast<double>((views.bytes() + ...));
}

// A loss of an op: value, gradient, and both. make(bench, dtype) gives its inputs, run(context, inputs, request)
// computes it.
template <class Make, class Run>
void add_loss(std::vector<Case>& cases, const std::string& name, const Shape& shape,
              std::int64_t (*workspace_bytes)(const Context&, Shape), Make&& make, Run&& run) {
  const auto add = [&](const char* what, bool value, bool gradient) {
    cases.push_back({name + what, false, [=](Workbench& bench, DType dtype) -> Work {
                       const auto inputs = make(bench, dtype);
                       losses::Request request{.workspace =
                                                   bench.block(workspace_bytes(bench.context(), shape))};
                       if (value) request.value = bench.floats(1);
                       double bytes = 0;
                       for (const TensorView& input : inputs) bytes += bytes_in(input);
                       if (gradient) {
                         request.gradient = bench.tensor(shape, dtype);
                         request.mode = GradientMode::Overwrite;
                         bytes += bytes_in(request.gradient);
                       }
                       return {.shape = to_string(shape), .bytes = bytes, .run = [=, &bench] {
                                 run(bench.context(), inputs, request);
                               }};
                     }});
  };
  add(" forward", true, false);
  add(" backward", false, true);
  add(" forward and backward", true, true);
}

using Inputs = std::vector<TensorView>;

void add_mse(std::vector<Case>& cases, const Shape& shape) {
  add_loss(
      cases, "mse", shape, losses::mse_workspace_bytes,
      [=](Workbench& bench, DType dtype) {
        return Inputs{bench.tensor(shape, dtype), bench.tensor(shape, dtype)};
      },
      [](Context& context, const Inputs& in, const losses::Request& request) {
        losses::mse(context, in[0], in[1], request);
      });
}

void add_nmse(std::vector<Case>& cases, const Shape& shape) {
  add_loss(
      cases, "relative", shape, losses::nmse_workspace_bytes,
      [=](Workbench& bench, DType dtype) {
        return Inputs{bench.tensor(shape, dtype), bench.tensor(shape, dtype)};
      },
      [](Context& context, const Inputs& in, const losses::Request& request) {
        losses::nmse(context, in[0], in[1], request);
      });
}

void add_total_variation(std::vector<Case>& cases, const Shape& shape) {
  add_loss(
      cases, "total variation", shape, losses::tv_workspace_bytes,
      [=](Workbench& bench, DType dtype) { return Inputs{bench.tensor(shape, dtype)}; },
      [](Context& context, const Inputs& in, const losses::Request& request) {
        losses::tv(context, in[0], request);
      });
}

// Half of the random depths are not positive: holes.
void add_berhu(std::vector<Case>& cases, const Shape& shape) {
  add_loss(
      cases, "berhu", shape, losses::berhu_workspace_bytes,
      [=](Workbench& bench, DType dtype) {
        return Inputs{bench.tensor(shape, dtype), bench.tensor(shape, DType::F32)};
      },
      [](Context& context, const Inputs& in, const losses::Request& request) {
        losses::berhu(context, in[0], in[1], request);
      });
}

void add_picture(std::vector<Case>& cases, const Shape& shape) {
  cases.push_back({"picture to tensor", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView y = bench.tensor(shape, dtype);
                     auto* rgb = static_cast<std::uint8_t*>(bench.block(shape.count()));
                     fill_async(bench.context(), rgb, 77, shape.count());
                     const double bytes = bytes_in(y) + static_cast<double>(shape.count());
                     return {.shape = to_string(shape), .bytes = bytes, .run = [=, &bench] {
                               image_convert::to_tensor(bench.context(), rgb, y);
                             }};
                   }});
  cases.push_back({"picture to bytes", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(shape, dtype);
                     auto* rgb = static_cast<std::uint8_t*>(bench.block(shape.count()));
                     const double bytes = bytes_in(x) + static_cast<double>(shape.count());
                     return {.shape = to_string(shape), .bytes = bytes, .run = [=, &bench] {
                               image_convert::to_bytes(bench.context(), x, rgb);
                             }};
                   }});
}

// In bf16 Adam also writes the rounded parameters.
void add_optimizers(std::vector<Case>& cases, std::int64_t count) {
  cases.push_back(
      {"adam step", false, [=](Workbench& bench, DType dtype) -> Work {
         const float* grad = bench.floats(count);
         float *param = bench.floats(count), *m = bench.floats(count);
         auto* v = static_cast<float*>(bench.block(4 * count));  // not negative
         fill_async(bench.context(), v, 0, 4 * count);
         auto* copy = dtype == DType::BF16 ? static_cast<bf16*>(bench.block(2 * count)) : nullptr;
         return {.shape = fmt::format("{} parameters", count),
                 .bytes = static_cast<double>(count * (copy ? 30 : 28)),
                 .run = [=, &bench] { adam::step(bench.context(), {}, 1, count, grad, param, m, v, copy); }};
       }});
  cases.push_back({"gradient norm, read back", false, [=](Workbench& bench, DType) -> Work {
                     const float* grad = bench.floats(count);
                     return {.shape = fmt::format("{} parameters", count),
                             .bytes = static_cast<double>(4 * count),
                             .run = [=, &bench] { adam::gradient_norm(bench.context(), count, grad); }};
                   }});
  cases.push_back({"sgd step", false, [=](Workbench& bench, DType) -> Work {
                     const float* grad = bench.floats(count);
                     float *param = bench.floats(count), *velocity = bench.floats(count);
                     return {.shape = fmt::format("{} parameters", count),
                             .bytes = static_cast<double>(20 * count),
                             .run = [=, &bench] {
                               sgd::step(bench.context(), sgd::Hyper{}, count, grad, param, velocity);
                             }};
                   }});
}

}  // namespace

void add_loss_cases(std::vector<Case>& cases, std::int64_t batch) {
  add_mse(cases, {batch, 32, 32, 512});
  add_nmse(cases, {batch, 32, 32, 512});
  add_total_variation(cases, {batch, 256, 256, 3});
  add_berhu(cases, {batch, 128, 128, 1});
  add_picture(cases, {batch, 256, 256, 3});
  add_optimizers(cases, kNetworkParameters * batch / 4);
}

}  // namespace chiaro::bench
