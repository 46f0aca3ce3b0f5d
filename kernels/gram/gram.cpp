#include "kernels/gram/gram.hpp"

#include "kernels/base/on_device.hpp"
#include "kernels/gram/gram_cuda.hpp"

namespace chiaro::gram {

std::int64_t forward_workspace_bytes(const Context& context, Shape f) {
  return on_device(
      context, [&] { return cpu::forward_workspace_bytes(f); },
      [&](auto) { return cuda::forward_workspace_bytes(f); });
}

std::int64_t backward_workspace_bytes(const Context& context, Shape f, DType dtype) {
  return on_device(
      context, [&] { return cpu::backward_workspace_bytes(f, dtype); }, [](auto) { return std::int64_t{0}; });
}

namespace {

void check_args(ConstTensorView f, const float* g, const char* g_name, std::int64_t workspace_bytes,
                const void* workspace) {
  require(f.data != nullptr, "gram: f must be given");
  require(f.shape.count() > 0, "gram: f {} is empty", to_string(f.shape));
  require(g != nullptr, "gram: {} must be given", g_name);
  require(workspace != nullptr || workspace_bytes == 0, "gram: a workspace of {} bytes is needed",
          workspace_bytes);
}

}  // namespace

void forward(Context& context, ConstTensorView f, float* g, float scale, void* workspace) {
  check_args(f, g, "g", forward_workspace_bytes(context, f.shape), workspace);
  on_device(
      context, [&] { cpu::forward(context, f, g, scale, workspace); },
      [&](auto stream) { cuda::forward(stream, f, g, scale, workspace); });
}

void backward(Context& context, ConstTensorView f, const float* dg, float scale, TensorView df,
              GradientMode mode, void* workspace) {
  if (mode == GradientMode::Ignore) return;
  check_args(f, dg, "dg", backward_workspace_bytes(context, f.shape, f.dtype), workspace);
  require(df && df.dtype == f.dtype && df.shape == f.shape, "gram: df is {} {}, expected {} {} as f",
          name_of(df.dtype), to_string(df.shape), name_of(f.dtype), to_string(f.shape));
  on_device(
      context, [&] { cpu::backward(context, f, dg, scale, df, mode == GradientMode::Accumulate, workspace); },
      [&](auto stream) { cuda::backward(stream, f, dg, scale, df, mode == GradientMode::Accumulate); });
}

}  // namespace chiaro::gram
