// The passes by oneDNN: NHWC activations, weights in the format that oneDNN chooses, all scratch memory in
// the caller's workspace. Three things oneDNN does not do are done around it: a data gradient is added to dx
// by a loop of our own; an fp32 dy beside bf16 data is rounded to bf16 first; dw leaves its blocked format by
// a reorder.
#include "kernels/base/onednn.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/conv2d/elementwise.hpp"
#include "kernels/conv2d/onednn_compat.hpp"
#include "kernels/conv2d/pass_plan.hpp"

namespace chiaro::conv2d {

namespace {

using dnnl::memory;
using onednn::Call;

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

memory::desc krsc(const Problem& p) {
  return {{p.k, p.x.c, p.r, p.s}, memory::data_type::f32, memory::format_tag::ohwi};
}

int64_t bytes(const memory::desc& desc) {
  return workspace_part(static_cast<int64_t>(desc.get_size()));
}

class OneDnnPass : public PassPlan {
 public:
  OneDnnPass(const Problem& problem, const char* kernel) : problem_(problem), kernel_(kernel) {}
  std::string name() const override { return "onednn"; }
  std::string details() const override { return kernel_; }

 protected:
  const Problem problem_;

 private:
  std::string kernel_;
};

// Weights as oneDNN wants them.
class PackedWeights {
 public:
  PackedWeights(const Problem& p, const memory::desc& packed)
      : packed_(packed), pack_(onednn::make_reorder(krsc(p), packed)) {}
  std::string key() const { return "onednn " + onednn::format_text(packed_); }
  int64_t size() const { return bytes(packed_); }
  void pack(const float* w, void* packed) { pack_.run({w, packed}); }

 private:
  memory::desc packed_;
  Call pack_;
};

class Forward final : public OneDnnPass {
 public:
  using Descriptor = dnnl::convolution_forward::primitive_desc;
  Forward(const Problem& p, const Descriptor& d)
      : OneDnnPass(p, d.impl_info_str()),
        weights_(p, d.weights_desc()),
        scratch_bytes_(bytes(d.scratchpad_desc())),
        call_(dnnl::convolution_forward(d), {{DNNL_ARG_SRC, d.src_desc()},
                                             {DNNL_ARG_WEIGHTS, d.weights_desc()},
                                             {DNNL_ARG_BIAS, d.bias_desc()},
                                             {DNNL_ARG_DST, d.dst_desc()},
                                             {DNNL_ARG_SCRATCHPAD, d.scratchpad_desc()}}) {}

  std::string packed_key() const override { return weights_.key(); }
  int64_t packed_bytes() const override { return weights_.size(); }
  void pack(const float* w, void* packed) override { weights_.pack(w, packed); }
  int64_t workspace_bytes() const override { return scratch_bytes_; }
  void run(const PassArgs& a) override { call_.run({a.x, a.packed, a.bias, a.y, a.workspace}); }

 private:
  PackedWeights weights_;
  int64_t scratch_bytes_;
  Call call_;
};

// dy in the type that oneDNN takes: itself, or rounded at the front of the workspace.
class RoundedGradient {
 public:
  explicit RoundedGradient(const Problem& p)
      : count_(p.dtype == p.y_dtype ? 0 : p.y().count()),
        bytes_(workspace_part(count_ * size_of(DType::BF16))) {}
  int64_t size() const { return bytes_; }
  const void* get(const PassArgs& a) const {
    if (!count_) return a.dy;
    round_to_bf16(static_cast<bf16*>(a.workspace), static_cast<const float*>(a.dy), count_);
    return a.workspace;
  }

 private:
  int64_t count_, bytes_;
};

class BackwardData final : public OneDnnPass {
 public:
  using Descriptor = dnnl::convolution_backward_data::primitive_desc;
  BackwardData(const Problem& p, const Descriptor& d)
      : OneDnnPass(p, d.impl_info_str()),
        weights_(p, d.weights_desc()),
        dy_(p),
        dx_bytes_(workspace_part(p.x.count() * size_of(p.dtype))),
        scratch_bytes_(bytes(d.scratchpad_desc())),
        call_(dnnl::convolution_backward_data(d), {{DNNL_ARG_DIFF_DST, d.diff_dst_desc()},
                                                   {DNNL_ARG_WEIGHTS, d.weights_desc()},
                                                   {DNNL_ARG_DIFF_SRC, d.diff_src_desc()},
                                                   {DNNL_ARG_SCRATCHPAD, d.scratchpad_desc()}}) {}

  std::string packed_key() const override { return weights_.key(); }
  int64_t packed_bytes() const override { return weights_.size(); }
  void pack(const float* w, void* packed) override { weights_.pack(w, packed); }
  int64_t workspace_bytes() const override { return dy_.size() + dx_bytes_ + scratch_bytes_; }
  void run(const PassArgs& a) override {
    auto* free = static_cast<std::byte*>(a.workspace) + dy_.size();
    void* fresh = a.accumulate ? free : a.dx;
    call_.run({dy_.get(a), a.packed, fresh, free + dx_bytes_});
    if (a.accumulate) add_to(problem_.dtype, a.dx, fresh, problem_.x.count());
  }

 private:
  PackedWeights weights_;
  RoundedGradient dy_;
  int64_t dx_bytes_, scratch_bytes_;
  Call call_;
};

class BackwardWeights final : public OneDnnPass {
 public:
  using Descriptor = dnnl::convolution_backward_weights::primitive_desc;
  BackwardWeights(const Problem& p, const Descriptor& d)
      : OneDnnPass(p, d.impl_info_str()),
        dy_(p),
        dw_bytes_(bytes(d.diff_weights_desc())),
        db_bytes_(p.bias ? workspace_part(p.k * 4) : 0),
        scratch_bytes_(bytes(d.scratchpad_desc())),
        unpack_{onednn::make_reorder(d.diff_weights_desc(), krsc(p)),
                onednn::make_reorder(d.diff_weights_desc(), krsc(p), true)},
        call_(dnnl::convolution_backward_weights(d), {{DNNL_ARG_SRC, d.src_desc()},
                                                      {DNNL_ARG_DIFF_DST, d.diff_dst_desc()},
                                                      {DNNL_ARG_DIFF_WEIGHTS, d.diff_weights_desc()},
                                                      {DNNL_ARG_DIFF_BIAS, d.diff_bias_desc()},
                                                      {DNNL_ARG_SCRATCHPAD, d.scratchpad_desc()}}) {}

  int64_t workspace_bytes() const override { return dy_.size() + dw_bytes_ + db_bytes_ + scratch_bytes_; }
  void run(const PassArgs& a) override {
    auto* blocked = static_cast<std::byte*>(a.workspace) + dy_.size();
    auto* fresh_db = a.accumulate ? reinterpret_cast<float*>(blocked + dw_bytes_) : a.db;
    call_.run({a.x, dy_.get(a), blocked, fresh_db, blocked + dw_bytes_ + db_bytes_});
    unpack_[a.accumulate].run({blocked, a.dw});
    if (a.db && a.accumulate) add_to(a.db, fresh_db, problem_.k);
  }

 private:
  RoundedGradient dy_;
  int64_t dw_bytes_, db_bytes_, scratch_bytes_;
  Call unpack_[2];  // by accumulate
  Call call_;
};

// What oneDNN (seen in 2.6.3) does wrong in the gradients of 1x1 filters; "" = nothing here. They read and
// write whole vectors of 16 channels where they gather strided pixels
// (github.com/uxlfoundation/oneDNN/issues/6035).
std::string known_fault(const PassProblem& pass) {
  const Problem& p = pass.problem;
  if (p.r != 1 || p.s != 1 || pass.pass == Pass::Forward) return "";
  if (p.stride > 1 && p.x.c < 16)
    return "oneDNN's strided 1x1 gradients write past their memory for fewer than 16 channels";
  if (p.dtype == DType::BF16 && p.k % 2 != 0)
    return "oneDNN's bf16 1x1 data gradient is wrong for an odd number of outputs";
  return "";
}

template <class T>
std::unique_ptr<PassPlan> make_usable(const PassProblem& p, const typename T::Descriptor& descriptor,
                                      std::string& refusal) {
  if (!descriptor)
    refusal = fmt::format("oneDNN {}.{} has no {} {} here", dnnl_version()->major, dnnl_version()->minor,
                          name_of(p.problem.dtype), name_of(p.pass));
  else if (std::string(descriptor.impl_info_str()).starts_with("ref"))
    refusal = fmt::format("oneDNN has only plain loops ({})", descriptor.impl_info_str());
  else
    return std::make_unique<T>(p.problem, descriptor);
  return nullptr;
}

}  // namespace

std::unique_ptr<PassPlan> make_onednn_pass(Context&, const PassProblem& pass, std::string& refusal) {
  refusal = known_fault(pass);
  if (!refusal.empty()) return nullptr;
  const SingleThread alone(pass.threads == Threads::One);
  const Problem& p = pass.problem;
  const auto type = onednn::data_type(p.dtype);
  try {
    if (pass.pass == Pass::Forward)
      return make_usable<Forward>(pass,
                                  forward_descriptor(geometry_of(p, type, onednn::data_type(p.y_dtype)),
                                                     onednn_attributes(p.accumulate, p.relu)),
                                  refusal);
    // Gradients: dy in x's type, dw in fp32.
    const auto hint = forward_descriptor(geometry_of(p, type, type), onednn_attributes());
    if (!hint) {
      refusal = "oneDNN has no forward pass to go with it";
      return nullptr;
    }
    if (pass.pass == Pass::BackwardData)
      return make_usable<BackwardData>(pass, backward_data_descriptor(geometry_of(p, type, type), hint),
                                       refusal);
    return make_usable<BackwardWeights>(
        pass, backward_weights_descriptor(geometry_of(p, memory::data_type::f32, type), hint), refusal);
  } catch (const dnnl::error& error) {
    refusal = fmt::format("oneDNN: {}", error.what());
    return nullptr;
  }
}

}  // namespace chiaro::conv2d
