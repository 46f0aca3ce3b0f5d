// Convolution by oneDNN: NHWC activations, weights in the format that oneDNN chooses, all scratch memory in
// the caller's workspace. Three things oneDNN does not do are done around it: a backward-data result is added
// to dx by a loop of our own; an fp32 dy beside bf16 data is rounded to bf16 first; dw leaves its blocked
// format by a reorder.
#include "kernels/common/onednn.hpp"
#include "kernels/conv2d/elementwise.hpp"
#include "kernels/conv2d/implementations.hpp"
#include "kernels/conv2d/onednn_compat.hpp"

namespace chiaro::conv2d {

namespace {

using dnnl::memory;
using onednn::Call;

constexpr int64_t aligned(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

OneDnnGeometry geometry_of(const Problem& p, memory::data_type w, memory::data_type y) {
  using tag = memory::format_tag;
  const Shape out = p.y();
  OneDnnGeometry g;
  g.x = {{p.x.n, p.x.c, p.x.h, p.x.w}, onednn::data_type(p.dtype), tag::nhwc};
  g.w = {{p.k, p.x.c, p.r, p.s}, w, tag::any};
  if (p.bias) g.bias = {{p.k}, memory::data_type::f32, tag::x};
  g.y = {{out.n, out.c, out.h, out.w}, y, tag::nhwc};
  g.strides = {p.stride, p.stride};
  g.pad_before = {p.pad.top, p.pad.left};
  g.pad_after = {p.pad.bottom, p.pad.right};
  return g;
}

class OneDnnPlan final : public Plan {
 public:
  struct Descriptors {
    dnnl::convolution_forward::primitive_desc forward;
    dnnl::convolution_backward_data::primitive_desc data;
    dnnl::convolution_backward_weights::primitive_desc weights;
  };

  OneDnnPlan(const Problem& problem, const Descriptors& d)
      : Plan(problem, "onednn"),
        details_(fmt::format("forward {}, data {}, weights {}", d.forward.impl_info_str(),
                             d.data.impl_info_str(), d.weights.impl_info_str())),
        krsc_({problem.k, problem.x.c, problem.r, problem.s}, memory::data_type::f32,
              memory::format_tag::ohwi),
        packed_{d.forward.weights_desc(), d.data.weights_desc()},
        pack_{onednn::make_reorder(krsc_, packed_[0]), onednn::make_reorder(krsc_, packed_[1])},
        unpack_{onednn::make_reorder(d.weights.diff_weights_desc(), krsc_),
                onednn::make_reorder(d.weights.diff_weights_desc(), krsc_, true)},
        scratch_bytes_{bytes(d.forward.scratchpad_desc()), bytes(d.data.scratchpad_desc()),
                       bytes(d.weights.scratchpad_desc())},
        blocked_dw_bytes_(bytes(d.weights.diff_weights_desc())) {
    forward_ =
        Call(dnnl::convolution_forward(d.forward), {{DNNL_ARG_SRC, d.forward.src_desc()},
                                                    {DNNL_ARG_WEIGHTS, d.forward.weights_desc()},
                                                    {DNNL_ARG_BIAS, d.forward.bias_desc()},
                                                    {DNNL_ARG_DST, d.forward.dst_desc()},
                                                    {DNNL_ARG_SCRATCHPAD, d.forward.scratchpad_desc()}});
    data_ = Call(dnnl::convolution_backward_data(d.data), {{DNNL_ARG_DIFF_DST, d.data.diff_dst_desc()},
                                                           {DNNL_ARG_WEIGHTS, d.data.weights_desc()},
                                                           {DNNL_ARG_DIFF_SRC, d.data.diff_src_desc()},
                                                           {DNNL_ARG_SCRATCHPAD, d.data.scratchpad_desc()}});
    weights_ = Call(dnnl::convolution_backward_weights(d.weights),
                    {{DNNL_ARG_SRC, d.weights.src_desc()},
                     {DNNL_ARG_DIFF_DST, d.weights.diff_dst_desc()},
                     {DNNL_ARG_DIFF_WEIGHTS, d.weights.diff_weights_desc()},
                     {DNNL_ARG_DIFF_BIAS, d.weights.diff_bias_desc()},
                     {DNNL_ARG_SCRATCHPAD, d.weights.scratchpad_desc()}});
  }

 private:
  static int64_t bytes(const memory::desc& desc) { return aligned(static_cast<int64_t>(desc.get_size())); }
  static std::size_t index(Pass pass) { return static_cast<std::size_t>(pass); }

  bool rounds_dy() const { return problem().dtype != problem().y_dtype; }
  int64_t rounded_dy_bytes() const {
    return rounds_dy() ? aligned(problem().y().count() * size_of(DType::BF16)) : 0;
  }
  int64_t dx_bytes() const { return aligned(problem().x.count() * size_of(problem().dtype)); }
  int64_t db_bytes() const { return problem().bias ? aligned(problem().k * 4) : 0; }

  // dy as oneDNN takes it: itself, or rounded into *workspace, which then moves past it.
  const void* bf16_dy(const void* dy, std::byte** workspace) const {
    if (!rounds_dy()) return dy;
    auto* rounded = reinterpret_cast<bf16*>(*workspace);
    round_to_bf16(rounded, static_cast<const float*>(dy), problem().y().count());
    *workspace += rounded_dy_bytes();
    return rounded;
  }

  std::string details_impl() const override { return details_; }
  std::string packed_key_impl(Pass pass) const override {
    return "onednn " + onednn::format_text(packed_[index(pass)]);
  }
  int64_t packed_bytes_impl(Pass pass) const override { return bytes(packed_[index(pass)]); }
  void pack_impl(Context&, Pass pass, const float* w, void* packed) override {
    pack_[index(pass)].run({w, packed});
  }

  int64_t workspace_bytes_impl(Pass pass) const override {
    const int64_t scratch = scratch_bytes_[index(pass)];
    if (pass == Pass::BackwardData) return scratch + rounded_dy_bytes() + dx_bytes();
    if (pass == Pass::BackwardWeights) return scratch + rounded_dy_bytes() + blocked_dw_bytes_ + db_bytes();
    return scratch;
  }

  void forward_impl(Context&, const void* x, const void* packed, const void* bias, const void*, void* y,
                    void* workspace) override {
    forward_.run({x, packed, bias, y, workspace});
  }

  void backward_data_impl(Context&, const void* dy, const void* packed, void* dx, bool accumulate,
                          void* workspace) override {
    auto* free = static_cast<std::byte*>(workspace);
    dy = bf16_dy(dy, &free);
    void* fresh_dx = accumulate ? free : dx;
    data_.run({dy, packed, fresh_dx, free + dx_bytes()});
    if (accumulate) add_to(problem().dtype, dx, fresh_dx, problem().x.count());
  }

  void backward_weights_impl(Context&, const void* x, const void* dy, float* dw, float* db, bool accumulate,
                             void* workspace) override {
    auto* free = static_cast<std::byte*>(workspace);
    dy = bf16_dy(dy, &free);
    void* blocked_dw = free;
    auto* fresh_db = accumulate ? reinterpret_cast<float*>(free + blocked_dw_bytes_) : db;
    weights_.run({x, dy, blocked_dw, fresh_db, free + blocked_dw_bytes_ + db_bytes()});
    unpack_[accumulate].run({blocked_dw, dw});
    if (db && accumulate) add_to(db, fresh_db, problem().k);
  }

  std::string details_;
  memory::desc krsc_, packed_[2];
  Call pack_[2], unpack_[2];  // by Pass; by accumulate
  int64_t scratch_bytes_[3];  // by Pass
  int64_t blocked_dw_bytes_;
  Call forward_, data_, weights_;
};

// What oneDNN (seen in 2.6.3) does wrong with 1x1 filters; "" = nothing here. Its gradients read and write
// whole vectors of 16 channels where they gather strided pixels
// (github.com/uxlfoundation/oneDNN/issues/6035).
std::string known_fault(const Problem& p) {
  if (p.r != 1 || p.s != 1) return "";
  if (p.stride > 1 && p.x.c < 16)
    return "oneDNN's strided 1x1 weight gradient writes past its workspace for fewer than 16 channels";
  if (p.dtype == DType::BF16 && p.k % 2 != 0)
    return "oneDNN's bf16 1x1 data gradient is wrong for an odd number of outputs";
  return "";
}

}  // namespace

std::unique_ptr<Plan> make_onednn_plan(Context&, const Problem& p, std::string& refusal) {
  refusal = known_fault(p);
  if (!refusal.empty()) return nullptr;
  // bf16 gradients: dy in bf16, dw in fp32.
  const auto type = onednn::data_type(p.dtype);
  const auto with_y = geometry_of(p, type, onednn::data_type(p.y_dtype));
  const auto with_dy = geometry_of(p, type, type);
  const auto with_dw = geometry_of(p, memory::data_type::f32, type);
  const auto usable = [&](const auto& descriptor, const char* pass) {
    if (!descriptor)
      refusal = fmt::format("oneDNN {}.{} has no {} {} here", dnnl_version()->major, dnnl_version()->minor,
                            name_of(p.dtype), pass);
    else if (std::string(descriptor.impl_info_str()).starts_with("ref"))
      refusal = fmt::format("oneDNN has only plain loops ({}) for {}", descriptor.impl_info_str(), pass);
    return refusal.empty();
  };
  try {
    OneDnnPlan::Descriptors d;
    d.forward = forward_descriptor(with_y, onednn_attributes(p.accumulate, p.relu));
    if (!usable(d.forward, "forward convolution")) return nullptr;
    const auto hint = forward_descriptor(with_dy, onednn_attributes());
    if (!usable(hint, "forward convolution")) return nullptr;
    d.data = backward_data_descriptor(with_dy, hint);
    if (!usable(d.data, "data gradient")) return nullptr;
    d.weights = backward_weights_descriptor(with_dw, hint);
    if (!usable(d.weights, "weight gradient")) return nullptr;
    return std::make_unique<OneDnnPlan>(p, d);
  } catch (const dnnl::error& error) {
    refusal = fmt::format("oneDNN: {}", error.what());
    return nullptr;
  }
}

}  // namespace chiaro::conv2d
