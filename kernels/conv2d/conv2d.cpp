#include "kernels/conv2d/conv2d.hpp"

#include <array>
#include <cstdint>

#include "kernels/base/build_config.hpp"
#include "kernels/base/dispatch.hpp"
#include "kernels/base/memory.hpp"
#include "kernels/conv2d/implementations.hpp"

namespace chiaro::conv2d {

namespace {

void check_problem(const Problem& p) {
  require(p.x.n > 0 && p.x.h > 0 && p.x.w > 0 && p.x.c > 0 && p.k > 0 && p.r > 0 && p.s > 0 && p.stride > 0,
          "conv2d {}: extents, channels and stride must be positive", to_string(p));
  require(p.pad.top >= 0 && p.pad.bottom >= 0 && p.pad.left >= 0 && p.pad.right >= 0,
          "conv2d {}: padding must not be negative", to_string(p));
  require(p.r <= p.x.h + p.pad.top + p.pad.bottom && p.s <= p.x.w + p.pad.left + p.pad.right,
          "conv2d {}: the filter is larger than the padded picture", to_string(p));
  require(p.y_dtype == p.dtype || p.y_dtype == DType::F32, "conv2d {}: y is bf16, expected fp32 as x is fp32",
          to_string(p));
}

void check_packable(Pass pass) {
  require(pass != Pass::BackwardWeights, "conv2d: the weight gradient reads no packed weights");
}

}  // namespace

Shape Problem::y() const {
  return {x.n, (x.h + pad.top + pad.bottom - r) / stride + 1, (x.w + pad.left + pad.right - s) / stride + 1,
          k};
}

std::string to_string(const Problem& p) {
  std::string text = fmt::format("{}x{} x={} k={} stride={}", p.r, p.s, to_string(p.x), p.k, p.stride);
  if (p.pad != Padding{})
    text += fmt::format(" pad={},{},{},{}", p.pad.top, p.pad.bottom, p.pad.left, p.pad.right);
  text += fmt::format(" {}", name_of(p.dtype));
  if (p.y_dtype != p.dtype) text += fmt::format("->{}", name_of(p.y_dtype));
  return text + (p.bias ? " +bias" : "") + (p.accumulate ? " +y" : "") + (p.relu ? " relu" : "");
}

std::unique_ptr<Plan> Plan::make(Context& context, const Problem& problem, Threads threads) {
  check_problem(problem);
  if constexpr (kHaveCuda)
    if (context.device() == Device::Cuda) {
      using Entry = Implementation<Problem, Plan>;
      static constexpr std::array<Entry, 2> kList = {
          {{"cudnn", make_cudnn_plan}, {"implicit_gemm", make_implicit_gemm_plan}}};
      return make_first_supported(context, "conv2d", to_string(problem), std::span<const Entry>(kList),
                                  problem);
    }
  return make_cpu_plan(context, problem, threads);
}

std::string Plan::packed_key(Pass pass) const {
  check_packable(pass);
  return packed_key_impl(pass);
}

int64_t Plan::packed_bytes(Pass pass) const {
  check_packable(pass);
  return packed_bytes_impl(pass);
}

void Plan::pack(Context& context, Pass pass, const float* w, void* packed) {
  check_packable(pass);
  require(w && packed, "conv2d pack {}: w or packed is null", to_string(problem_));
  pack_impl(context, pass, w, packed);
}

int64_t Plan::workspace_bytes(Pass pass) const {
  return workspace_bytes_impl(pass);
}

void Plan::forward(Context& context, ConstTensorView x, const void* packed, const void* bias, TensorView y,
                   void* workspace, ConstTensorView residual) {
  check("forward", "x", x, problem_.x, problem_.dtype);
  check("forward", "y", y, problem_.y(), problem_.y_dtype);
  require(packed, "conv2d forward {}: packed is null", to_string(problem_));
  require((bias != nullptr) == problem_.bias, "conv2d forward {}: bias is {}", to_string(problem_),
          bias ? "given, but the problem has none" : "null");
  check_workspace(Pass::Forward, workspace);
  if (residual) {
    require(problem_.accumulate, "conv2d forward {}: a residual is given, but the problem adds none",
            to_string(problem_));
    check("forward", "residual", residual, problem_.y(), problem_.y_dtype);
    if (residual.data == y.data) residual = {};
  }
  if (residual && !takes_residual()) {
    copy_async(context, y.data, residual.data, y.bytes());
    residual = {};
  }
  forward_impl(context, x.data, packed, bias, residual.data, y.data, workspace);
}

void Plan::backward_data(Context& context, ConstTensorView dy, const void* packed, TensorView dx,
                         GradientMode mode, void* workspace) {
  if (mode == GradientMode::Ignore) return;
  check("backward_data", "dy", dy, problem_.y(), problem_.y_dtype);
  check("backward_data", "dx", dx, problem_.x, problem_.dtype);
  require(packed, "conv2d backward_data {}: packed is null", to_string(problem_));
  check_workspace(Pass::BackwardData, workspace);
  backward_data_impl(context, dy.data, packed, dx.data, mode == GradientMode::Accumulate, workspace);
}

void Plan::backward_weights(Context& context, ConstTensorView x, ConstTensorView dy, float* dw, float* db,
                            GradientMode mode, void* workspace) {
  if (mode == GradientMode::Ignore) return;
  check("backward_weights", "x", x, problem_.x, problem_.dtype);
  check("backward_weights", "dy", dy, problem_.y(), problem_.y_dtype);
  require(dw, "conv2d backward_weights {}: dw is null", to_string(problem_));
  require((db != nullptr) == problem_.bias, "conv2d backward_weights {}: db is {}", to_string(problem_),
          db ? "given, but the problem has no bias" : "null");
  check_workspace(Pass::BackwardWeights, workspace);
  backward_weights_impl(context, x.data, dy.data, dw, db, mode == GradientMode::Accumulate, workspace);
}

void Plan::check(const char* call, const char* name, ConstTensorView view, Shape shape, DType dtype) const {
  require(view.data, "conv2d {} {}: {} is null", call, to_string(problem_), name);
  require(view.shape == shape, "conv2d {} {}: {} has shape {}, expected {}", call, to_string(problem_), name,
          chiaro::to_string(view.shape), chiaro::to_string(shape));
  require(view.dtype == dtype, "conv2d {} {}: {} is {}, expected {}", call, to_string(problem_), name,
          name_of(view.dtype), name_of(dtype));
}

void Plan::check_workspace(Pass pass, const void* workspace) const {
  require(workspace || workspace_bytes(pass) == 0, "conv2d {}: no workspace, expected {} bytes",
          to_string(problem_), workspace_bytes(pass));
  require(reinterpret_cast<std::uintptr_t>(workspace) % 64 == 0,
          "conv2d {}: the workspace is not 64-byte aligned", to_string(problem_));
}

}  // namespace chiaro::conv2d
