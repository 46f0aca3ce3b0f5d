#include "kernels/gram/style_loss.hpp"

#include "kernels/base/on_device.hpp"
#include "kernels/gram/gram_cuda.hpp"

namespace chiaro::gram {

std::int64_t style_loss_workspace_bytes(const Context& context, Shape f) {
  return on_device(
      context, [&] { return cpu::style_loss_workspace_bytes(f); },
      [&](auto) { return cuda::style_loss_workspace_bytes(f); });
}

void style_loss(Context& context, const StyleLossArgs& args) {
  require(bool(args.f), "style loss: f must be given");
  require(args.f.shape.count() > 0, "style loss: f {} is empty", to_string(args.f.shape));
  require(args.target && args.value && args.dg, "style loss: target, value and dg must be given");
  require(!args.per_picture || args.k, "style loss: k must be given for targets per picture");
  require(args.workspace != nullptr, "style loss: a workspace of {} bytes is needed",
          style_loss_workspace_bytes(context, args.f.shape));
  on_device(
      context, [&] { cpu::style_loss(context, args); }, [&](auto stream) { cuda::style_loss(stream, args); });
}

}  // namespace chiaro::gram
