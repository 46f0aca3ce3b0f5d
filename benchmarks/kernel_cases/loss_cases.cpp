// Losses, pictures as bytes, and the optimizers.
#include "benchmarks/kernel_cases/cases.hpp"
#include "kernels/elementwise/image_convert.hpp"
#include "kernels/losses/berhu.hpp"
#include "kernels/losses/losses.hpp"
#include "kernels/losses/nmse.hpp"
#include "kernels/optimizer/adam.hpp"
#include "kernels/optimizer/sgd.hpp"

namespace chiaro::bench {

namespace {

constexpr std::int64_t kNetworkParameters = 1'679'235;  // of the transform network

template <class... Views>
double bytes_in(const Views&... views) {
  return static_cast<double>((views.bytes() + ...));
}

void add_mse(std::vector<Case>& cases, const Shape& shape) {
  cases.push_back({"mse forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView a = bench.tensor(shape, dtype), b = bench.tensor(shape, dtype);
                     float* value = bench.floats(1);
                     void* workspace = bench.block(losses::mse_workspace_bytes(bench.context(), shape));
                     return {.shape = to_string(shape), .bytes = bytes_in(a, b), .run = [=, &bench] {
                               losses::mse_forward(bench.context(), a, b, 1, value, workspace);
                             }};
                   }});
  cases.push_back({"mse backward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView a = bench.tensor(shape, dtype), b = bench.tensor(shape, dtype),
                                      da = bench.tensor(shape, dtype);
                     return {.shape = to_string(shape), .bytes = bytes_in(a, b, da), .run = [=, &bench] {
                               losses::mse_backward(bench.context(), a, b, 1, da, GradientMode::Overwrite);
                             }};
                   }});
  cases.push_back({"mse forward and backward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView a = bench.tensor(shape, dtype), b = bench.tensor(shape, dtype),
                                      da = bench.tensor(shape, dtype);
                     float* value = bench.floats(1);
                     void* workspace = bench.block(losses::mse_workspace_bytes(bench.context(), shape));
                     return {.shape = to_string(shape), .bytes = bytes_in(a, b, da), .run = [=, &bench] {
                               losses::mse_forward_backward(bench.context(), a, b, 1, 1, value, workspace, da,
                                                            GradientMode::Overwrite);
                             }};
                   }});
}

void add_nmse(std::vector<Case>& cases, const Shape& shape) {
  cases.push_back({"relative forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView a = bench.tensor(shape, dtype), b = bench.tensor(shape, dtype);
                     float *value = bench.floats(1), *inverse = bench.floats(shape.n);
                     void* workspace = bench.block(losses::nmse_workspace_bytes(bench.context(), shape));
                     return {.shape = to_string(shape), .bytes = bytes_in(a, b), .run = [=, &bench] {
                               losses::nmse_forward(bench.context(), a, b, 1, value, inverse, workspace);
                             }};
                   }});
  cases.push_back({"relative backward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView a = bench.tensor(shape, dtype), b = bench.tensor(shape, dtype),
                                      da = bench.tensor(shape, dtype);
                     const float* inverse = bench.floats(shape.n);
                     return {.shape = to_string(shape), .bytes = bytes_in(a, b, da), .run = [=, &bench] {
                               losses::nmse_backward(bench.context(), a, b, inverse, 1, da,
                                                     GradientMode::Overwrite);
                             }};
                   }});
}

void add_total_variation(std::vector<Case>& cases, const Shape& shape) {
  cases.push_back({"total variation forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(shape, dtype);
                     float* value = bench.floats(1);
                     void* workspace = bench.block(losses::tv_workspace_bytes(bench.context(), shape));
                     return {.shape = to_string(shape), .bytes = bytes_in(x), .run = [=, &bench] {
                               losses::tv_forward(bench.context(), x, 1, value, workspace);
                             }};
                   }});
  cases.push_back({"total variation backward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(shape, dtype), dx = bench.tensor(shape, dtype);
                     return {.shape = to_string(shape), .bytes = bytes_in(x, dx), .run = [=, &bench] {
                               losses::tv_backward(bench.context(), x, 1, dx, GradientMode::Overwrite);
                             }};
                   }});
  cases.push_back({"total variation forward and backward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(shape, dtype), dx = bench.tensor(shape, dtype);
                     float* value = bench.floats(1);
                     void* workspace = bench.block(losses::tv_workspace_bytes(bench.context(), shape));
                     return {.shape = to_string(shape), .bytes = bytes_in(x, dx), .run = [=, &bench] {
                               losses::tv_forward_backward(bench.context(), x, 1, 1, value, workspace, dx,
                                                           GradientMode::Overwrite);
                             }};
                   }});
}

// Half of the random depths are not positive: holes.
void add_berhu(std::vector<Case>& cases, const Shape& shape) {
  cases.push_back({"berhu forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(shape, dtype),
                                      target = bench.tensor(shape, DType::F32);
                     float *value = bench.floats(1), *state = bench.floats(losses::kBerhuStateSize);
                     void* workspace = bench.block(losses::berhu_workspace_bytes(bench.context(), shape));
                     return {.shape = to_string(shape), .bytes = 2 * bytes_in(x, target), .run = [=, &bench] {
                               losses::berhu_forward(bench.context(), x, target, 1, value, state, workspace);
                             }};
                   }});
  cases.push_back(
      {"berhu backward", false, [=](Workbench& bench, DType dtype) -> Work {
         const TensorView x = bench.tensor(shape, dtype), target = bench.tensor(shape, DType::F32),
                          dx = bench.tensor(shape, dtype);
         const float* state = bench.floats(losses::kBerhuStateSize);
         return {.shape = to_string(shape), .bytes = bytes_in(x, target, dx), .run = [=, &bench] {
                   losses::berhu_backward(bench.context(), x, target, state, 1, dx, GradientMode::Overwrite);
                 }};
       }});
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
