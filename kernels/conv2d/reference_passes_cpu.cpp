// The plain loops as passes. Packed weights: KRSC in the problem's dtype.
#include "kernels/conv2d/conv2d_reference.hpp"
#include "kernels/conv2d/pass_plan.hpp"

namespace chiaro::conv2d {

namespace {

class ReferencePass final : public PassPlan {
 public:
  explicit ReferencePass(const PassProblem& p) : problem_(p.problem), pass_(p.pass) {}

  std::string name() const override { return "reference"; }
  std::string details() const override { return "plain loops"; }
  std::string packed_key() const override {
    const Problem& p = problem_;
    return fmt::format("krsc {} {}x{}x{}x{}", chiaro::name_of(p.dtype), p.k, p.r, p.s, p.x.c);
  }
  int64_t packed_bytes() const override { return problem_.weight_count() * size_of(problem_.dtype); }
  void pack(const float* w, void* packed) override {
    visit_dtype(problem_.dtype, [&](auto zero) {
      using T = decltype(zero);
      std::transform(w, w + problem_.weight_count(), static_cast<T*>(packed), [](float v) { return T(v); });
    });
  }
  int64_t workspace_bytes() const override { return 0; }

  void run(const PassArgs& a) override {
    visit_dtype(problem_.dtype, [&](auto t) {
      visit_dtype(problem_.y_dtype, [&](auto u) { run_typed<decltype(t), decltype(u)>(a); });
    });
  }

 private:
  template <class T, class U>  // of x and of y
  void run_typed(const PassArgs& a) const {
    const auto* x = static_cast<const T*>(a.x);
    const auto* w = static_cast<const T*>(a.packed);
    const auto* dy = static_cast<const U*>(a.dy);
    switch (pass_) {
      case Pass::Forward:
        return reference::forward(problem_, x, w, a.bias, static_cast<U*>(a.y));
      case Pass::BackwardData:
        return reference::backward_data(problem_, dy, w, static_cast<T*>(a.dx), a.accumulate);
      case Pass::BackwardWeights:
        return reference::backward_weights(problem_, x, dy, a.dw, a.db, a.accumulate);
    }
  }

  Problem problem_;
  Pass pass_;
};

}  // namespace

std::unique_ptr<PassPlan> make_reference_pass(Context&, const PassProblem& p, std::string&) {
  return std::make_unique<ReferencePass>(p);
}

}  // namespace chiaro::conv2d
