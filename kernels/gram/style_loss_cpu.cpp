#include <algorithm>

#include "kernels/gram/gram.hpp"
#include "kernels/gram/style_loss.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro::gram::cpu {

namespace {

Shape matrices(const Shape& f) {
  return {f.n, f.c, f.c, 1};
}

}  // namespace

std::int64_t style_loss_workspace_bytes(Shape f) {
  return std::max(forward_workspace_bytes(f), losses::cpu::mse_workspace_bytes(matrices(f)));
}

// dg holds g until the difference takes its place.
void style_loss(Context& context, const StyleLossArgs& args) {
  const Shape all = matrices(args.f.shape), one{1, all.h, all.w, 1};
  forward(context, args.f, args.dg, args.scale, args.workspace);
  const auto compare = [&](const Shape& shape, std::int64_t n, double factor) {
    const TensorView g{args.dg + n * one.count(), DType::F32, shape};
    const ConstTensorView target{args.target + n * one.count(), DType::F32, one};
    losses::cpu::mse(g, target,
                     {.value = args.value + n,
                      .scale = factor * args.coefficient,
                      .gradient = g,
                      .mode = GradientMode::Overwrite,
                      .gradient_scale = factor * args.gradient_coefficient,
                      .workspace = args.workspace});
  };
  if (!args.per_picture) return compare(all, 0, 1);
  for (std::int64_t n = 0; n < all.n; ++n) compare(one, n, double(args.k[n]));
}

}  // namespace chiaro::gram::cpu
