// Convolution by cuDNN's graph API; convolution_graph_cudnn.hpp says which graphs.
//
// A pass is planned when it is first asked about, so a network that only runs forward plans no gradients;
// plans are shared by equal problems of one context. Packed weights: KRSC in the graph's dtype, the same for
// forward and backward data except beside an fp32 y, where the forward pass wants fp32. A gradient that cuDNN
// has no engine for, in either mode, is left to a plan of our own kernels, which this one then holds.
#include <array>
#include <optional>

#include "kernels/base/alignment.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/base/memory.hpp"
#include "kernels/conv2d/convolution_graph_cudnn.hpp"
#include "kernels/conv2d/implementations.hpp"
#include "kernels/conv2d/sums_cuda.hpp"
#include "kernels/cuda/device_context.hpp"
#include "kernels/cuda/profiler_range.hpp"

namespace chiaro::conv2d {

namespace {

constexpr int64_t aligned(int64_t bytes) {
  return align_up(bytes, kDeviceAlignment);
}

// One pass as it runs: the plan, and what its graph says about the arrays around it.
struct PlannedPass {
  const cudnn::Plan* plan = nullptr;  // nullptr: cuDNN cannot, `refusal` says why
  std::string refusal;
  DType dtype = DType::F32;
  bool biased = false, adds_old_y = false;
};

PlannedPass plan_pass(chiaro::cuda::DeviceContext& device, const Problem& problem, Pass pass, bool accumulate,
                      bool tf32) {
  const PassGraph g = make_pass_graph(problem, pass, accumulate, tf32);
  PlannedPass planned{.dtype = g.dtype, .biased = g.biased, .adds_old_y = g.adds_old_y};
  const auto& entry = device.plan(
      pass_graph_key(problem, pass, accumulate, tf32),
      [&] { return make_pass_graph(problem, pass, accumulate, tf32).graph; }, g.math);
  planned.plan = entry.plan.get();
  planned.refusal = entry.refusal;
  return planned;
}

// Hands out the parts of a workspace, aligned like the whole.
class Parts {
 public:
  explicit Parts(void* workspace) : next_(static_cast<std::byte*>(workspace)) {
    require_device_alignment(workspace);
  }
  void* take(int64_t bytes) {
    void* part = next_;
    next_ += aligned(bytes);
    return part;
  }

 private:
  std::byte* next_;
};

class CudnnPlan final : public Plan {
 public:
  CudnnPlan(Context& context, const Problem& problem, PlannedPass forward)
      : Plan(problem, "cudnn"), device_(context), tf32_(context.tf32()) {
    passes_[slot(Pass::Forward, false)] = std::move(forward);
  }

 private:
  static std::size_t slot(Pass pass, bool accumulate) {
    return 2 * static_cast<std::size_t>(pass) + accumulate;
  }

  const PlannedPass& planned(Pass pass, bool accumulate = false) const {
    auto& found = passes_[slot(pass, accumulate)];
    if (!found) found = plan_pass(device_.cuda(), problem(), pass, accumulate, tf32_);
    return *found;
  }
  const PlannedPass& runnable(Pass pass, bool accumulate = false) const {
    const PlannedPass& p = planned(pass, accumulate);
    if (!p.plan) throw Error("conv2d {}: cudnn: {}", to_string(problem()), p.refusal);
    return p;
  }

  bool is_mixed() const { return problem().dtype != problem().y_dtype; }
  bool is_bf16() const { return problem().dtype == DType::BF16; }
  int64_t x_count() const { return problem().x.count(); }
  int64_t y_count() const { return problem().y().count(); }
  int64_t dw_bytes() const { return problem().weight_count() * size_of(DType::BF16); }

  // Whether cuDNN does a gradient, in both modes.
  bool has(Pass pass) const {
    return planned(pass).plan && (!accumulates_itself(pass) || planned(pass, true).plan);
  }
  static GradientMode mode_of(bool accumulate) {
    return accumulate ? GradientMode::Accumulate : GradientMode::Overwrite;
  }
  // Whether the library is asked to add to the gradient.
  bool accumulates_itself(Pass pass) const {
    return pass == Pass::BackwardData || (pass == Pass::BackwardWeights && !is_bf16());
  }
  // Our own kernels, for a gradient that cuDNN does not do; else nullptr.
  Plan* own_kernels(Pass pass) const {
    if (pass == Pass::Forward || has(pass)) return nullptr;
    if (!own_) {
      std::string no_refusal;
      own_ = make_implicit_gemm_plan(device_, problem(), no_refusal);
    }
    return own_.get();
  }

  std::string details_impl() const override {
    const auto& p = runnable(Pass::Forward);
    return fmt::format("engine {}{}", p.plan->engine().index,
                       p.plan->engine().from_fallback ? ", fallback" : "");
  }

  std::string packed_key_impl(Pass pass) const override {
    if (const Plan* own = own_kernels(pass)) return own->packed_key(pass);
    if (pass == Pass::Forward && is_mixed()) return "krsc bf16 in fp32";
    return is_bf16() ? kRoundedKey : "krsc fp32";
  }
  int64_t packed_bytes_impl(Pass pass) const override {
    if (const Plan* own = own_kernels(pass)) return own->packed_bytes(pass);
    return problem().weight_count() * size_of(pass == Pass::Forward ? planned(pass).dtype : problem().dtype);
  }
  void pack_impl(Context& context, Pass pass, const float* w, void* packed) override {
    if (Plan* own = own_kernels(pass)) return own->pack(context, pass, w, packed);
    const int64_t count = problem().weight_count();
    if (pass == Pass::Forward && is_mixed())
      cuda::round_through_bf16(context.cuda().stream(), static_cast<float*>(packed), w, count);
    else
      cuda::copy(context.cuda().stream(), problem().dtype, packed, DType::F32, w, count);
  }

  // The larger of both gradient modes, so that a caller may choose the mode when it runs.
  int64_t library_bytes(Pass pass) const {
    int64_t bytes = 0;
    for (const bool accumulate : {false, true}) {
      if (accumulate && !accumulates_itself(pass)) continue;
      if (const auto* plan = planned(pass, accumulate).plan) bytes = std::max(bytes, plan->workspace_bytes());
    }
    return aligned(bytes);
  }
  int64_t workspace_bytes_impl(Pass pass) const override {
    if (const Plan* own = own_kernels(pass)) return own->workspace_bytes(pass);
    const Problem& p = problem();
    int64_t bytes = library_bytes(pass);
    if (pass == Pass::Forward) {
      const PlannedPass& forward = planned(pass);
      if (is_mixed()) bytes += aligned(x_count() * 4);
      if (forward.biased && !p.bias) bytes += aligned(p.k * size_of(forward.dtype));
      if (forward.adds_old_y) bytes += aligned(y_count() * size_of(forward.dtype));
      return bytes;
    }
    if (is_mixed()) bytes += aligned(y_count() * size_of(DType::BF16));
    if (pass == Pass::BackwardWeights && is_bf16()) bytes += aligned(dw_bytes());
    if (pass == Pass::BackwardWeights && p.bias)
      bytes += aligned(cuda::column_sum_workspace_bytes(y_count() / p.k, p.k));
    return bytes;
  }

  DType bias_dtype_impl() const override { return planned(Pass::Forward).dtype; }
  bool takes_residual() const override { return true; }
  void forward_impl(Context& context, const void* x, const void* packed, const void* bias,
                    const void* residual, void* y, void* workspace) override {
    const chiaro::cuda::ProfilerRange range("conv2d forward");
    const Problem& p = problem();
    const PlannedPass& pass = runnable(Pass::Forward);
    Parts parts(workspace);
    if (is_mixed()) {
      void* wide = parts.take(x_count() * 4);
      cuda::copy(context.cuda().stream(), DType::F32, wide, DType::BF16, x, x_count());
      x = wide;
    }
    if (pass.biased && !bias) {
      void* zeros = parts.take(p.k * size_of(pass.dtype));
      fill_async(context, zeros, 0, p.k * size_of(pass.dtype));
      bias = zeros;
    }
    const void* old_y = residual;
    if (residual && !pass.adds_old_y) copy_async(context, y, residual, y_count() * size_of(p.y_dtype));
    if (!residual && pass.adds_old_y) {  // nothing promises that a fused engine may read what it overwrites
      void* part = parts.take(y_count() * size_of(pass.dtype));
      copy_async(context, part, y, y_count() * size_of(pass.dtype));
      old_y = part;
    }
    std::vector<std::pair<cudnn::Graph::Id, const void*>> tensors = {{kX, x}, {kW, packed}, {kY, y}};
    if (pass.biased) tensors.push_back({kBias, bias});
    if (pass.adds_old_y) tensors.push_back({kOldY, old_y});
    pass.plan->execute(context.cuda().cudnn(), tensors, parts.take(0));
  }

  // dy as the graph takes it: itself, or rounded into the workspace.
  const void* bf16_dy(Context& context, const void* dy, Parts& parts) const {
    if (!is_mixed()) return dy;
    void* rounded = parts.take(y_count() * size_of(DType::BF16));
    cuda::copy(context.cuda().stream(), DType::BF16, rounded, DType::F32, dy, y_count());
    return rounded;
  }

  void backward_data_impl(Context& context, const void* dy, const void* packed, void* dx, bool accumulate,
                          void* workspace) override {
    const chiaro::cuda::ProfilerRange range("conv2d backward data");
    const Problem& p = problem();
    if (Plan* own = own_kernels(Pass::BackwardData))
      return own->backward_data(context, {dy, p.y_dtype, p.y()}, packed, {dx, p.dtype, p.x},
                                mode_of(accumulate), workspace);
    const PlannedPass& pass = runnable(Pass::BackwardData, accumulate);
    Parts parts(workspace);
    dy = bf16_dy(context, dy, parts);
    const std::pair<cudnn::Graph::Id, const void*> tensors[] = {{kX, dx}, {kW, packed}, {kY, dy}};
    pass.plan->execute(context.cuda().cudnn(), tensors, parts.take(0));
  }

  void backward_weights_impl(Context& context, const void* x, const void* dy, float* dw, float* db,
                             bool accumulate, void* workspace) override {
    const chiaro::cuda::ProfilerRange range("conv2d backward weights");
    const Problem& p = problem();
    if (Plan* own = own_kernels(Pass::BackwardWeights))
      return own->backward_weights(context, {x, p.dtype, p.x}, {dy, p.y_dtype, p.y()}, dw, db,
                                   mode_of(accumulate), workspace);
    const PlannedPass& pass = runnable(Pass::BackwardWeights, accumulate && !is_bf16());
    Parts parts(workspace);
    if (db) {
      void* partial = parts.take(cuda::column_sum_workspace_bytes(y_count() / p.k, p.k));
      cuda::column_sum(context.cuda().stream(), p.y_dtype, dy, y_count() / p.k, p.k, db, accumulate, partial);
    }
    dy = bf16_dy(context, dy, parts);
    void* fresh_dw = is_bf16() ? parts.take(dw_bytes()) : dw;
    const std::pair<cudnn::Graph::Id, const void*> tensors[] = {{kX, x}, {kW, fresh_dw}, {kY, dy}};
    pass.plan->execute(context.cuda().cudnn(), tensors, parts.take(0));
    if (is_bf16())
      cuda::copy(context.cuda().stream(), DType::F32, dw, DType::BF16, fresh_dw, p.weight_count(),
                 accumulate);
  }

  mutable Context device_;
  bool tf32_;
  mutable std::array<std::optional<PlannedPass>, 6> passes_;  // by slot()
  mutable std::unique_ptr<Plan> own_;                         // see own_kernels()
};

}  // namespace

std::unique_ptr<Plan> make_cudnn_plan(Context& context, const Problem& problem, std::string& refusal) {
  PlannedPass forward = plan_pass(context.cuda(), problem, Pass::Forward, false, context.tf32());
  if (!forward.plan) {
    refusal = forward.refusal;
    return nullptr;
  }
  return std::make_unique<CudnnPlan>(context, problem, std::move(forward));
}

}  // namespace chiaro::conv2d
