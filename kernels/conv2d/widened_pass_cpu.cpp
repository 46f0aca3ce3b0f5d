// bf16 where the hardware does not multiply it: operands widened to fp32 in the workspace, an fp32 pass, and
// what comes out rounded. Slower than fp32 itself by the conversions, with the results that bf16 has
// elsewhere. Working weights: rounded to bf16, then packed as the fp32 pass wants them.
#include <vector>

#include "kernels/base/blocks.hpp"
#include "kernels/conv2d/elementwise.hpp"
#include "kernels/conv2d/pass_plan.hpp"

namespace chiaro::conv2d {

namespace {

void widen(float* to, DType dtype, const void* from, int64_t count) {
  visit_dtype(dtype, [&](auto zero) {
    const auto* source = static_cast<const decltype(zero)*>(from);
    for_ranges(count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = float(source[i]);
    });
  });
}

// to = from, or to + from, rounded
void narrow(DType dtype, void* to, const float* from, int64_t count, bool accumulate) {
  visit_dtype(dtype, [&](auto zero) {
    auto* target = static_cast<decltype(zero)*>(to);
    for_ranges(count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) store_gradient(target[i], from[i], accumulate);
    });
  });
}

class WidenedPass final : public PassPlan {
 public:
  WidenedPass(Context& context, const PassProblem& pass)
      : problem_(pass.problem),
        pass_(pass.pass),
        inner_(make_inner_pass(context, {fp32(pass.problem), pass.pass, pass.threads})),
        rounded_(pass.pass == Pass::BackwardWeights ? 0
                                                    : static_cast<std::size_t>(pass.problem.weight_count())) {
  }

  std::string name() const override { return "widened"; }
  std::string details() const override {
    return fmt::format("{} in fp32, {}", inner_->name(), inner_->details());
  }
  std::string packed_key() const override { return "rounded " + inner_->packed_key(); }
  int64_t packed_bytes() const override { return inner_->packed_bytes(); }
  void pack(const float* w, void* packed) override {
    for (std::size_t i = 0; i < rounded_.size(); ++i) rounded_[i] = float(bf16(w[i]));
    inner_->pack(rounded_.data(), packed);
  }
  int64_t workspace_bytes() const override { return x_bytes() + y_bytes() + inner_->workspace_bytes(); }

  void run(const PassArgs& a) override {
    auto* x = reinterpret_cast<float*>(a.workspace);
    auto* y = reinterpret_cast<float*>(static_cast<std::byte*>(a.workspace) + x_bytes());
    PassArgs inner = a;
    inner.workspace = static_cast<std::byte*>(a.workspace) + x_bytes() + y_bytes();
    const int64_t x_count = problem_.x.count(), y_count = problem_.y().count();
    if (pass_ != Pass::BackwardData) widen(x, problem_.dtype, a.x, x_count);
    if (pass_ != Pass::Forward) widen(y, problem_.y_dtype, a.dy, y_count);
    inner.x = x;
    inner.dy = y;
    switch (pass_) {
      case Pass::Forward:
        if (problem_.accumulate) widen(y, problem_.y_dtype, a.y, y_count);
        inner.y = y;
        inner_->run(inner);
        return narrow(problem_.y_dtype, a.y, y, y_count, false);
      case Pass::BackwardData:
        inner.dx = x;
        inner.accumulate = false;
        inner_->run(inner);
        return narrow(problem_.dtype, a.dx, x, x_count, a.accumulate);
      case Pass::BackwardWeights:
        return inner_->run(inner);
    }
  }

 private:
  static Problem fp32(Problem p) {
    p.dtype = p.y_dtype = DType::F32;
    return p;
  }
  int64_t x_bytes() const { return workspace_part(problem_.x.count() * 4); }
  int64_t y_bytes() const { return workspace_part(problem_.y().count() * 4); }

  Problem problem_;
  Pass pass_;
  std::unique_ptr<PassPlan> inner_;
  std::vector<float> rounded_;  // weights on their way through pack()
};

}  // namespace

std::unique_ptr<PassPlan> make_widened_pass(Context& context, const PassProblem& pass, std::string& refusal) {
  if (pass.problem.dtype == DType::F32) {
    refusal = "for bf16 only";
    return nullptr;
  }
  return std::make_unique<WidenedPass>(context, pass);
}

}  // namespace chiaro::conv2d
