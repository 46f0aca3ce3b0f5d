// Ops that move pixels: borders, pooling, interleaving, upsampling, and element by element.
#include "benchmarks/kernel_cases/cases.hpp"
#include "kernels/elementwise/elementwise.hpp"
#include "kernels/pad/pad.hpp"
#include "kernels/pixel_shuffle/pixel_shuffle.hpp"
#include "kernels/pool/max_pool.hpp"
#include "kernels/resample/upsample.hpp"

namespace chiaro::bench {

namespace {

template <class... Views>
double bytes_of(const Views&... views) {
  return static_cast<double>((views.bytes() + ...));
}

void add_border(std::vector<Case>& cases, const Shape& shape, std::int64_t width) {
  const Pad border = Pad::uniform(width);
  const std::string text = fmt::format("{}, border {}", to_string(shape), width);
  cases.push_back({"pad forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(shape, dtype),
                                      y = bench.tensor(border.outer(shape), dtype);
                     return {.shape = text, .bytes = bytes_of(x, y), .run = [=, &bench] {
                               pad::forward(bench.context(), x, y, border);
                             }};
                   }});
  cases.push_back({"pad backward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView dx = bench.tensor(shape, dtype),
                                      dy = bench.tensor(border.outer(shape), dtype);
                     return {.shape = text, .bytes = bytes_of(dx, dy), .run = [=, &bench] {
                               pad::backward(bench.context(), dy, dx, GradientMode::Overwrite, border);
                             }};
                   }});
}

void add_max_pool(std::vector<Case>& cases, const Shape& shape) {
  const Shape pooled = max_pool::output_shape(shape, {});
  cases.push_back({"max_pool forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(shape, dtype), y = bench.tensor(pooled, dtype);
                     return {.shape = to_string(shape) + " 2x2", .bytes = bytes_of(x, y), .run = [=, &bench] {
                               max_pool::forward(bench.context(), x, y);
                             }};
                   }});
  cases.push_back({"max_pool backward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(shape, dtype), y = bench.tensor(pooled, dtype),
                                      dy = bench.tensor(pooled, dtype), dx = bench.tensor(shape, dtype);
                     max_pool::forward(bench.context(), x, y);
                     return {.shape = to_string(shape) + " 2x2, relu",
                             .bytes = bytes_of(x, y, dy, dx),
                             .run =
                                 [=, &bench] {
                                   max_pool::backward(bench.context(), x, y, dy, dx, GradientMode::Overwrite,
                                                      {}, true);
                                 },
                             .instead = "pool, relu",
                             .run_instead =
                                 [=, &bench] {
                                   max_pool::backward(bench.context(), x, y, dy, dx, GradientMode::Overwrite);
                                   relu_backward(bench.context(), x, dx, dx, GradientMode::Overwrite);
                                 }};
                   }});
}

// The four phases of an upsampling convolution with `channels` outputs lie side by side in one tensor, each
// shifted by a pixel.
void add_upsampling_phases(std::vector<Case>& cases, std::int64_t batch, std::int64_t size,
                           std::int64_t channels) {
  const Shape phases{batch, size + 1, size + 1, 4 * channels}, full{batch, 2 * size, 2 * size, channels};
  const std::string text = to_string(phases) + " to " + to_string(full);
  cases.push_back({"pixel_shuffle forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(phases, dtype), y = bench.tensor(full, dtype);
                     pixel_shuffle::ForwardArgs args{.y = y};
                     for (int p = 0; p < 4; ++p) args.sources[p] = {x, p / 2, p % 2, p * channels};
                     return {.shape = text, .bytes = 2 * bytes_of(y), .run = [args, &bench] {
                               pixel_shuffle::forward(bench.context(), args);
                             }};
                   }});
  cases.push_back({"pixel_shuffle backward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView dx = bench.tensor(phases, dtype), dy = bench.tensor(full, dtype);
                     pixel_shuffle::BackwardArgs args{.dy = dy, .zero_rest = true};
                     for (int p = 0; p < 4; ++p) args.targets[p] = {dx, p / 2, p % 2, p * channels};
                     return {.shape = text, .bytes = bytes_of(dx, dy), .run = [args, &bench] {
                               pixel_shuffle::backward(bench.context(), args);
                             }};
                   }});
}

// The end of an up-projection: its second branch, in the upper half of the channels of four convolutions,
// plus its first branch, ReLU.
void add_up_projection(std::vector<Case>& cases, std::int64_t batch, std::int64_t size,
                       std::int64_t channels) {
  const Shape phase{batch, size, size, 2 * channels}, full{batch, 2 * size, 2 * size, channels};
  const std::string text = "4 x " + to_string(phase) + " + branch, relu";
  cases.push_back({"pixel_shuffle forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView branch = bench.tensor(full, dtype), y = bench.tensor(full, dtype);
                     pixel_shuffle::ForwardArgs plain{.y = y};
                     for (auto& source : plain.sources) source = {bench.tensor(phase, dtype), 0, 0, channels};
                     pixel_shuffle::ForwardArgs fused = plain;
                     fused.add = branch;
                     fused.relu = true;
                     return {.shape = text,
                             .bytes = 3 * bytes_of(y),
                             .run = [fused, &bench] { pixel_shuffle::forward(bench.context(), fused); },
                             .instead = "interleave, add, relu",
                             .run_instead =
                                 [=, &bench] {
                                   pixel_shuffle::forward(bench.context(), plain);
                                   copy(bench.context(), branch, y, GradientMode::Accumulate);
                                   relu_forward(bench.context(), y, y);
                                 }};
                   }});
  cases.push_back({"pixel_shuffle backward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView dy = bench.tensor(full, dtype), y = bench.tensor(full, dtype),
                                      dbranch = bench.tensor(full, dtype);
                     pixel_shuffle::BackwardArgs plain{.dy = dy};
                     for (auto& target : plain.targets) target = {bench.tensor(phase, dtype), 0, 0, channels};
                     pixel_shuffle::BackwardArgs fused = plain;
                     fused.y = y;
                     fused.dadd = dbranch;
                     fused.dadd_mode = GradientMode::Overwrite;
                     return {.shape = text,
                             .bytes = 4 * bytes_of(y),
                             .run = [fused, &bench] { pixel_shuffle::backward(bench.context(), fused); },
                             .instead = "relu, copy, interleave",
                             .run_instead =
                                 [=, &bench] {
                                   relu_backward(bench.context(), y, dy, dy, GradientMode::Overwrite);
                                   copy(bench.context(), dy, dbranch, GradientMode::Overwrite);
                                   pixel_shuffle::backward(bench.context(), plain);
                                 }};
                   }});
}

void add_upsample(std::vector<Case>& cases, const Shape& shape) {
  const Shape twice{shape.n, 2 * shape.h, 2 * shape.w, shape.c};
  cases.push_back({"upsample forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(shape, dtype), y = bench.tensor(twice, dtype);
                     return {.shape = to_string(shape), .bytes = bytes_of(x, y), .run = [=, &bench] {
                               upsample::upsample_nearest_forward(bench.context(), x, y);
                             }};
                   }});
  cases.push_back({"upsample backward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView dx = bench.tensor(shape, dtype), dy = bench.tensor(twice, dtype);
                     return {.shape = to_string(shape), .bytes = bytes_of(dx, dy), .run = [=, &bench] {
                               upsample::upsample_nearest_backward(bench.context(), dy, dx,
                                                                   GradientMode::Overwrite);
                             }};
                   }});
}

// Weights of an upsampling convolution, K = 64, C = 128.
void add_folded_weights(std::vector<Case>& cases) {
  constexpr std::int64_t kK = 64, kC = 128, kCount = kK * kC * 9, kFolded = 4 * kK * kC * 4;
  const std::string text = fmt::format("{}x3x3x{}", kK, kC);
  constexpr double kBytes = 4.0 * (kCount + kFolded);
  cases.push_back({"upsample fold_weights", false, [=](Workbench& bench, DType) -> Work {
                     const float* w = bench.floats(kCount);
                     float* w4 = bench.floats(kFolded);
                     return {.shape = text, .bytes = kBytes, .run = [=, &bench] {
                               upsample::fold_weights(bench.context(), w, kK, kC, w4);
                             }};
                   }});
  cases.push_back({"upsample unfold_gradient", false, [=](Workbench& bench, DType) -> Work {
                     const float* dw4 = bench.floats(kFolded);
                     float* dw = bench.floats(kCount);
                     return {.shape = text, .bytes = kBytes, .run = [=, &bench] {
                               upsample::unfold_gradient(bench.context(), dw4, kK, kC, dw,
                                                         GradientMode::Overwrite);
                             }};
                   }});
}

void add_elementwise(std::vector<Case>& cases, std::int64_t batch) {
  const Shape features{batch, 256, 256, 64}, picture{batch, 256, 256, 3};
  cases.push_back({"relu forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(features, dtype), y = bench.tensor(features, dtype);
                     return {.shape = to_string(features), .bytes = bytes_of(x, y), .run = [=, &bench] {
                               relu_forward(bench.context(), x, y);
                             }};
                   }});
  cases.push_back(
      {"relu backward", false, [=](Workbench& bench, DType dtype) -> Work {
         const TensorView y = bench.tensor(features, dtype), dy = bench.tensor(features, dtype);
         return {.shape = to_string(features) + " in place", .bytes = 3 * bytes_of(y), .run = [=, &bench] {
                   relu_backward(bench.context(), y, dy, dy, GradientMode::Overwrite);
                 }};
       }});
  cases.push_back({"copy", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(features, dtype), y = bench.tensor(features, dtype);
                     return {.shape = to_string(features) + " added",
                             .bytes = 3 * bytes_of(y),
                             .run = [=, &bench] { copy(bench.context(), x, y, GradientMode::Accumulate); }};
                   }});
  cases.push_back({"channel_affine forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(picture, DType::F32), y = bench.tensor(picture, dtype);
                     const float *mean = bench.floats(picture.c), *scale = bench.floats(picture.c);
                     return {.shape = to_string(picture), .bytes = bytes_of(x, y), .run = [=, &bench] {
                               channel_affine_forward(bench.context(), x, mean, scale, y);
                             }};
                   }});
  cases.push_back(
      {"channel_affine backward", false, [=](Workbench& bench, DType dtype) -> Work {
         const TensorView dx = bench.tensor(picture, DType::F32), dy = bench.tensor(picture, dtype);
         const float* scale = bench.floats(picture.c);
         return {.shape = to_string(picture), .bytes = bytes_of(dx, dy), .run = [=, &bench] {
                   channel_affine_backward(bench.context(), dy, scale, dx, GradientMode::Overwrite);
                 }};
       }});
  cases.push_back({"tanh_output forward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView x = bench.tensor(picture, dtype), y = bench.tensor(picture, dtype);
                     return {.shape = to_string(picture), .bytes = bytes_of(x, y), .run = [=, &bench] {
                               tanh_output_forward(bench.context(), x, y);
                             }};
                   }});
  cases.push_back({"tanh_output backward", false, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView y = bench.tensor(picture, dtype), dy = bench.tensor(picture, dtype),
                                      dx = bench.tensor(picture, dtype);
                     return {.shape = to_string(picture), .bytes = bytes_of(y, dy, dx), .run = [=, &bench] {
                               tanh_output_backward(bench.context(), y, dy, dx, GradientMode::Overwrite);
                             }};
                   }});
}

}  // namespace

void add_data_cases(std::vector<Case>& cases, std::int64_t batch) {
  add_max_pool(cases, {batch, 256, 256, 64});
  add_max_pool(cases, {batch, 64, 64, 256});
  add_upsampling_phases(cases, batch, 64, 64);
  add_upsampling_phases(cases, batch, 128, 32);
  add_up_projection(cases, batch, 64, 64);
  add_border(cases, {batch, 64, 64, 128}, 1);
  add_border(cases, {batch, 256, 256, 3}, 4);
  add_upsample(cases, {batch, 128, 128, 64});
  add_folded_weights(cases);
  add_elementwise(cases, batch);
}

}  // namespace chiaro::bench
