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
  const TensorView g{args.dg, DType::F32, matrices(args.f.shape)};
  const ConstTensorView target{args.target, DType::F32, {1, g.shape.h, g.shape.w, 1}};
  forward(context, args.f, args.dg, args.scale, args.workspace);
  losses::cpu::mse_forward(g, target, args.coefficient, args.value, args.workspace);
  losses::cpu::mse_backward(g, target, args.gradient_coefficient, g, false);
}

}  // namespace chiaro::gram::cpu
