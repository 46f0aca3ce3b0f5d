// Convolutions of the networks, all three passes, and Gram matrices with their gradients.
#include <algorithm>
#include <array>
#include <memory>

#include "benchmarks/kernel_cases/cases.hpp"
#include "kernels/conv2d/conv2d.hpp"
#include "kernels/gemm/gemm.hpp"
#include "kernels/gram/gram.hpp"
#include "kernels/gram/style_loss.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro::bench {

namespace {

using conv2d::Pass;

struct Convolution {
  const char* where;
  std::int64_t size, c, k, r, s, stride, pad;  // size: rows and columns of x
};
constexpr std::array kConvolutions{
    Convolution{"transform in", 264, 3, 32, 9, 9, 1, 0},
    Convolution{"transform down 1", 258, 32, 64, 3, 3, 2, 0},
    Convolution{"transform down 2", 130, 64, 128, 3, 3, 2, 0},
    Convolution{"transform residual", 66, 128, 128, 3, 3, 1, 0},
    Convolution{"transform up 1", 66, 128, 256, 2, 2, 1, 0},
    Convolution{"transform up 2", 130, 64, 128, 2, 2, 1, 0},
    Convolution{"transform out", 264, 32, 3, 9, 9, 1, 0},
    Convolution{"VGG conv1_1", 256, 3, 64, 3, 3, 1, 1},
    Convolution{"VGG conv1_2", 256, 64, 64, 3, 3, 1, 1},
    Convolution{"VGG conv2_1", 128, 64, 128, 3, 3, 1, 1},
    Convolution{"VGG conv2_2", 128, 128, 128, 3, 3, 1, 1},
    Convolution{"VGG conv3_1", 64, 128, 256, 3, 3, 1, 1},
    Convolution{"VGG conv3_2", 64, 256, 256, 3, 3, 1, 1},
    Convolution{"VGG conv4_1", 32, 256, 512, 3, 3, 1, 1},
    Convolution{"VGG conv4_2", 32, 512, 512, 3, 3, 1, 1},
    Convolution{"VGG conv5_1", 16, 512, 512, 3, 3, 1, 1},
    Convolution{"depth conv1", 256, 3, 64, 7, 7, 2, 3},
    Convolution{"depth res2a_2c", 64, 64, 256, 1, 1, 1, 0},
    Convolution{"depth res4b_2b", 16, 256, 256, 3, 3, 1, 1},
    Convolution{"depth up_16x A", 64, 128, 128, 3, 3, 1, 1},
};

conv2d::Problem problem_of(const Convolution& c, std::int64_t batch, DType dtype) {
  conv2d::Problem problem;
  problem.x = {batch, c.size, c.size, c.c};
  problem.k = c.k;
  problem.r = c.r;
  problem.s = c.s;
  problem.stride = c.stride;
  problem.pad = {c.pad, c.pad, c.pad, c.pad};
  problem.dtype = problem.y_dtype = dtype;
  problem.bias = true;
  return problem;
}

Work convolution(Workbench& bench, const conv2d::Problem& problem, Pass pass, const char* where) {
  Context& context = bench.context();
  const std::shared_ptr<conv2d::Plan> plan = conv2d::Plan::make(context, problem);
  const TensorView x = bench.tensor(problem.x, problem.dtype), y = bench.tensor(problem.y(), problem.y_dtype);
  float *weights = bench.floats(problem.weight_count()), *bias = bench.floats(problem.k);
  void* workspace = bench.block(plan->workspace_bytes(pass));
  void* packed = nullptr;
  if (pass != Pass::BackwardWeights) {
    packed = bench.block(plan->packed_bytes(pass));
    plan->pack(context, pass, weights, packed);
  }
  const double macs = static_cast<double>(problem.y().count() * problem.r * problem.s * problem.x.c);
  const double weight_bytes = static_cast<double>(
      problem.weight_count() * (pass == Pass::BackwardWeights ? 4 : size_of(problem.dtype)));
  const auto run = [=, &context] {
    if (pass == Pass::Forward)
      plan->forward(context, x, packed, bias, y, workspace);
    else if (pass == Pass::BackwardData)
      plan->backward_data(context, y, packed, x, GradientMode::Overwrite, workspace);
    else
      plan->backward_weights(context, x, y, weights, bias, GradientMode::Overwrite, workspace);
  };
  return {.shape = fmt::format("{}: {} k={} {}x{} stride={} ({})", where, to_string(problem.x), problem.k,
                               problem.r, problem.s, problem.stride, plan->implementation(pass)),
          .bytes = static_cast<double>(x.bytes() + y.bytes()) + weight_bytes,
          .flop = 2 * macs,
          .run = run};
}

// Both triangles of the product would be 2 P C^2; one, with the diagonal, is what is needed.
double gram_flop(const Shape& f) {
  return static_cast<double>(f.n * f.pixels() * f.c * (f.c + 1));
}

// The library's product per picture, which computes both triangles.
std::function<void()> library_products(Workbench& bench, const TensorView& f, float* g) {
  return [&bench, f, g] {
    const std::int64_t pixels = f.shape.pixels(), c = f.shape.c;
    for (std::int64_t n = 0; n < f.shape.n; ++n) {
      const void* picture = static_cast<const std::byte*>(f.data) + n * pixels * c * size_of(f.dtype);
      gemm::run(bench.context(), {.m = c,
                                  .n = c,
                                  .k = pixels,
                                  .a = {picture, f.dtype, c, true},
                                  .b = {picture, f.dtype, c},
                                  .c = {g + n * c * c, DType::F32, c}});
    }
  };
}

Work style_loss(Workbench& bench, const TensorView& f) {
  Context& context = bench.context();
  const Shape square{f.shape.n, 1, f.shape.c, f.shape.c}, one{1, 1, f.shape.c, f.shape.c};
  const TensorView g = bench.tensor(square, DType::F32), dg = bench.tensor(square, DType::F32),
                   target = bench.tensor(one, DType::F32);
  float* value = bench.floats(1);
  void* workspace = bench.block(std::max({gram::style_loss_workspace_bytes(context, f.shape),
                                          gram::forward_workspace_bytes(context, f.shape),
                                          losses::mse_workspace_bytes(context, square)}));
  return {
      .shape = to_string(f.shape),
      .bytes = static_cast<double>(f.bytes() + target.bytes() + dg.bytes()),
      .flop = gram_flop(f.shape),
      .run =
          [=, &context] {
            gram::style_loss(context, {.f = f,
                                       .target = target.as<float>(),
                                       .value = value,
                                       .dg = dg.as<float>(),
                                       .workspace = workspace});
          },
      .instead = "gram, loss, its gradient",
      .run_instead =
          [=, &context] {
            gram::forward(context, f, g.as<float>(), 1, workspace);
            losses::mse(
                context, g, target,
                {.value = value, .gradient = dg, .mode = GradientMode::Overwrite, .workspace = workspace});
          }};
}

void add_gram(std::vector<Case>& cases, const Shape& shape) {
  const std::int64_t square = shape.n * shape.c * shape.c;
  cases.push_back({"gram forward", true, [=](Workbench& bench, DType dtype) -> Work {
                     const TensorView f = bench.tensor(shape, dtype);
                     float* g = bench.floats(square);
                     void* workspace = bench.block(gram::forward_workspace_bytes(bench.context(), shape));
                     return {.shape = to_string(shape),
                             .bytes = static_cast<double>(f.bytes() + 4 * square),
                             .flop = gram_flop(shape),
                             .run = [=, &bench] { gram::forward(bench.context(), f, g, 1, workspace); },
                             .instead = "matrix products, one per picture",
                             .run_instead = library_products(bench, f, g)};
                   }});
  cases.push_back({"gram style_loss", true, [=](Workbench& bench, DType dtype) -> Work {
                     return style_loss(bench, bench.tensor(shape, dtype));
                   }});
  cases.push_back(
      {"gram backward", true, [=](Workbench& bench, DType dtype) -> Work {
         const TensorView f = bench.tensor(shape, dtype), df = bench.tensor(shape, dtype);
         const float* dg = bench.floats(square);
         void* workspace = bench.block(gram::backward_workspace_bytes(bench.context(), shape, dtype));
         return {.shape = to_string(shape) + " added",
                 .bytes = static_cast<double>(f.bytes() + 2 * df.bytes() + 4 * square),
                 .flop = 2 * static_cast<double>(shape.pixels() * square),
                 .run = [=, &bench] {
                   gram::backward(bench.context(), f, dg, 1, df, GradientMode::Accumulate, workspace);
                 }};
       }});
}

}  // namespace

void add_matrix_cases(std::vector<Case>& cases, std::int64_t batch) {
  for (const Convolution& c : kConvolutions)
    for (const auto& [name, pass] : {std::pair{"conv2d forward", Pass::Forward},
                                     {"conv2d backward data", Pass::BackwardData},
                                     {"conv2d backward weights", Pass::BackwardWeights}})
      cases.push_back({name, true, [c, batch, pass](Workbench& bench, DType dtype) {
                         return convolution(bench, problem_of(c, batch, dtype), pass, c.where);
                       }});
  for (const Shape& shape : {Shape{batch, 256, 256, 64}, Shape{batch, 128, 128, 128},
                             Shape{batch, 64, 64, 256}, Shape{batch, 32, 32, 512}, Shape{batch, 16, 16, 512}})
    add_gram(cases, shape);
}

}  // namespace chiaro::bench
