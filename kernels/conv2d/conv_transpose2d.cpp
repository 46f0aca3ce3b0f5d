#include "kernels/conv2d/conv_transpose2d.hpp"

#include "kernels/base/alignment.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/conv2d/elementwise.hpp"
#include "kernels/conv2d/sums_cuda.hpp"
#include "kernels/cuda/device.hpp"

namespace chiaro::conv_transpose2d {

std::string to_string(const Problem& p) {
  return fmt::format("3x3 x={} k={} {}", chiaro::to_string(p.x), p.k, name_of(p.dtype));
}

conv2d::Problem matching_convolution(const Problem& p) {
  conv2d::Problem c;
  c.x = p.y();
  c.k = p.x.c;
  c.r = c.s = 3;
  c.stride = 2;
  c.pad = {1, 0, 1, 0};  // the output padding fills the last row and column, so none is needed there
  c.dtype = c.y_dtype = p.dtype;
  return c;
}

std::unique_ptr<Plan> Plan::make(Context& context, const Problem& problem) {
  require(problem.x.n > 0 && problem.x.h > 0 && problem.x.w > 0 && problem.x.c > 0 && problem.k > 0,
          "conv_transpose2d {}: extents and channels must be positive", to_string(problem));
  return std::make_unique<Plan>(problem, conv2d::Plan::make(context, matching_convolution(problem)),
                                alignment_of(context));
}

Pass Plan::opposite(Pass pass) {
  return pass == Pass::Forward ? Pass::BackwardData : pass == Pass::BackwardData ? Pass::Forward : pass;
}

void Plan::pack(Context& context, Pass pass, const float* w, void* packed) {
  convolution_->pack(context, opposite(pass), w, packed);
}

int64_t Plan::fresh_dx_bytes() const {
  return align_up(problem_.x.count() * size_of(problem_.dtype), alignment_);
}

int64_t Plan::workspace_bytes(Pass pass) const {
  return convolution_->workspace_bytes(opposite(pass)) + (pass == Pass::BackwardData ? fresh_dx_bytes() : 0);
}

void Plan::forward(Context& context, ConstTensorView x, const void* packed, TensorView y, void* workspace) {
  check("forward", "x", x, problem_.x);
  check("forward", "y", y, problem_.y());
  convolution_->backward_data(context, x, packed, y, GradientMode::Overwrite, workspace);
}

void Plan::backward_data(Context& context, ConstTensorView dy, const void* packed, TensorView dx,
                         GradientMode mode, void* workspace) {
  if (mode == GradientMode::Ignore) return;
  check("backward_data", "dy", dy, problem_.y());
  check("backward_data", "dx", dx, problem_.x);
  require(workspace, "conv_transpose2d backward_data {}: no workspace, expected {} bytes",
          to_string(problem_), workspace_bytes(Pass::BackwardData));
  const TensorView fresh{mode == GradientMode::Accumulate ? workspace : dx.data, problem_.dtype, problem_.x};
  convolution_->forward(context, dy, packed, nullptr, fresh,
                        static_cast<std::byte*>(workspace) + fresh_dx_bytes());
  if (fresh.data == dx.data) return;
  if constexpr (kHaveCuda)
    if (context.device() == Device::Cuda)
      return conv2d::cuda::copy(chiaro::cuda::stream_of(context), problem_.dtype, dx.data, problem_.dtype,
                                fresh.data, problem_.x.count(), true);
  conv2d::add_to(problem_.dtype, dx.data, fresh.data, problem_.x.count());
}

void Plan::backward_weights(Context& context, ConstTensorView x, ConstTensorView dy, float* dw,
                            GradientMode mode, void* workspace) {
  if (mode == GradientMode::Ignore) return;
  check("backward_weights", "x", x, problem_.x);
  check("backward_weights", "dy", dy, problem_.y());
  convolution_->backward_weights(context, dy, x, dw, nullptr, mode, workspace);
}

void Plan::check(const char* call, const char* name, ConstTensorView view, Shape shape) const {
  require(view.data, "conv_transpose2d {} {}: {} is null", call, to_string(problem_), name);
  require(view.shape == shape, "conv_transpose2d {} {}: {} has shape {}, expected {}", call,
          to_string(problem_), name, chiaro::to_string(view.shape), chiaro::to_string(shape));
  require(view.dtype == problem_.dtype, "conv_transpose2d {} {}: {} is {}, expected {}", call,
          to_string(problem_), name, name_of(view.dtype), name_of(problem_.dtype));
}

}  // namespace chiaro::conv_transpose2d
