#include "kernels/losses/losses.hpp"

#include "kernels/base/on_device.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/losses/losses_cuda.hpp"

namespace chiaro::losses {

namespace {

// What all losses check: x, with respect to which they are differentiated, and what is to be written.
void check_request(const char* op, const char* name, ConstTensorView x, const Request& request,
                   bool needs_workspace, std::int64_t workspace_bytes) {
  check_present(op, name, x);
  if (request.wants_gradient())
    require(request.gradient && request.gradient.shape == x.shape,
            "{}: the gradient has shape {}, expected {}", op, to_string(request.gradient.shape),
            to_string(x.shape));
  require(request.workspace || !needs_workspace, "{}: a workspace of {} bytes is needed", op,
          workspace_bytes);
}

bool wants_anything(const Request& request) {
  return request.value || request.wants_gradient();
}

}  // namespace

std::int64_t mse_workspace_bytes(const Context& context, Shape a) {
  return on_device(
      context, [&] { return cpu::mse_workspace_bytes(a); }, [&](auto) { return cuda::workspace_bytes(); });
}

std::int64_t tv_workspace_bytes(const Context& context, Shape x) {
  return on_device(
      context, [&] { return cpu::tv_workspace_bytes(x); }, [&](auto) { return cuda::workspace_bytes(); });
}

std::int64_t range_workspace_bytes(const Context& context, Shape x) {
  return on_device(
      context, [&] { return cpu::range_workspace_bytes(x); }, [&](auto) { return cuda::workspace_bytes(); });
}

std::int64_t nmse_workspace_bytes(const Context& context, Shape a) {
  return on_device(
      context, [&] { return cpu::nmse_workspace_bytes(a); },
      [&](auto) { return cuda::nmse_workspace_bytes(a); });
}

std::int64_t berhu_workspace_bytes(const Context& context, Shape prediction) {
  return on_device(
      context, [&] { return cpu::berhu_workspace_bytes(prediction); },
      [&](auto) { return cuda::berhu_workspace_bytes(); });
}

void mse(Context& context, ConstTensorView a, ConstTensorView b, const Request& request) {
  check_request("mse", "a", a, request, request.value != nullptr, mse_workspace_bytes(context, a.shape));
  require(bool(b), "mse: b is missing");
  Shape expected = a.shape;
  if (b.shape.n == 1) expected.n = 1;
  require(b.shape == expected, "mse: b has shape {}, expected {} or the same with one picture",
          to_string(b.shape), to_string(a.shape));
  if (!wants_anything(request)) return;
  on_device(
      context, [&] { cpu::mse(a, b, request); }, [&](auto stream) { cuda::mse(stream, a, b, request); });
}

void tv(Context& context, ConstTensorView x, const Request& request) {
  check_request("total_variation", "x", x, request, request.value != nullptr,
                tv_workspace_bytes(context, x.shape));
  if (!wants_anything(request)) return;
  on_device(
      context, [&] { cpu::tv(x, request); }, [&](auto stream) { cuda::tv(stream, x, request); });
}

void range(Context& context, ConstTensorView x, float low, float high, const Request& request) {
  check_request("range", "x", x, request, request.value != nullptr, range_workspace_bytes(context, x.shape));
  require(low <= high, "range: from {} to {}", low, high);
  if (!wants_anything(request)) return;
  on_device(
      context, [&] { cpu::range(x, low, high, request); },
      [&](auto stream) { cuda::range(stream, x, low, high, request); });
}

void nmse(Context& context, ConstTensorView a, ConstTensorView b, const Request& request) {
  check_request("relative error", "a", a, request, wants_anything(request),
                nmse_workspace_bytes(context, a.shape));
  check_present("relative error", "b", b);
  require(b.shape == a.shape, "relative error: b has shape {}, expected {}", to_string(b.shape),
          to_string(a.shape));
  if (!wants_anything(request)) return;
  on_device(
      context, [&] { cpu::nmse(a, b, request); }, [&](auto stream) { cuda::nmse(stream, a, b, request); });
}

void berhu(Context& context, ConstTensorView prediction, ConstTensorView target, const Request& request) {
  check_request("berhu", "the prediction", prediction, request, wants_anything(request),
                berhu_workspace_bytes(context, prediction.shape));
  check_tensor("berhu", "the target", target, DType::F32, prediction.shape);
  if (!wants_anything(request)) return;
  on_device(
      context, [&] { cpu::berhu(prediction, target, request); },
      [&](auto stream) { cuda::berhu(stream, prediction, target, request); });
}

}  // namespace chiaro::losses
