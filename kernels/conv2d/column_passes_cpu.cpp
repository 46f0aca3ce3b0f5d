// Few outputs (the transform network's last layer): forward by column sums; the weight gradient with the
// filter's columns as output channels of an R x 1 convolution,
//   g[n,p,v,s*K+k] = dy[n,p,v-s,k],  dw[k,r,s,c] = sum_{n,p,v} g[n,p,v,s*K+k] * x[n,p+r,v,c].
#include "kernels/conv2d/column_passes.hpp"

#include "kernels/base/parallel.hpp"

namespace chiaro::conv2d {

namespace {

class ColumnWeights final : public PassPlan {
 public:
  ColumnWeights(Context& context, const PassProblem& pass)
      : problem_(pass.problem),
        gathered_(gathered_problem(pass.problem)),
        inner_(make_inner_pass(context, {gathered_, Pass::BackwardWeights, pass.threads})) {}

  std::string name() const override { return "columns"; }
  std::string details() const override { return fmt::format("{}x1, {}", problem_.r, inner_->details()); }
  int64_t workspace_bytes() const override {
    return g_bytes() + dw_bytes() + db_bytes() + inner_->workspace_bytes();
  }

  void run(const PassArgs& a) override {
    const Problem& p = problem_;
    auto* g = static_cast<std::byte*>(a.workspace);
    auto* dw = reinterpret_cast<float*>(g + g_bytes());  // (S*K,R,1,C)
    auto* db = reinterpret_cast<float*>(g + g_bytes() + dw_bytes());
    visit_dtype(p.dtype, [&](auto t) {
      visit_dtype(p.y_dtype, [&](auto u) {
        gather(static_cast<const decltype(u)*>(a.dy), reinterpret_cast<decltype(t)*>(g));
      });
    });
    inner_->run({.x = a.x,
                 .dy = g,
                 .dw = dw,
                 .db = a.db ? db : nullptr,
                 .workspace = g + g_bytes() + dw_bytes() + db_bytes()});
    for (int64_t k = 0; k < p.k; ++k)
      for (int64_t r = 0; r < p.r; ++r)
        for (int64_t s = 0; s < p.s; ++s) {
          const float* from = dw + ((s * p.k + k) * p.r + r) * p.x.c;
          float* to = a.dw + ((k * p.r + r) * p.s + s) * p.x.c;
          for (int64_t c = 0; c < p.x.c; ++c) to[c] = a.accumulate ? to[c] + from[c] : from[c];
        }
    for (int64_t k = 0; a.db && k < p.k; ++k) a.db[k] = a.accumulate ? a.db[k] + db[k] : db[k];
  }

 private:
  // The R x 1 convolution whose weight gradient is wanted. Its bias gradient holds S copies of db.
  static Problem gathered_problem(Problem p) {
    p.k = p.s * p.k;
    p.s = 1;
    p.y_dtype = p.dtype;
    p.relu = p.accumulate = false;
    return p;
  }

  int64_t g_bytes() const { return workspace_part(gathered_.y().count() * size_of(problem_.dtype)); }
  int64_t dw_bytes() const { return workspace_part(problem_.weight_count() * 4); }
  int64_t db_bytes() const { return workspace_part(gathered_.k * 4); }

  template <class U, class T>
  void gather(const U* dy, T* g) const {
    const Problem& p = problem_;
    const Shape out = p.y();
    parallel_for(out.n * out.h, [&](int64_t row) {
      const U* from = dy + row * out.w * p.k;
      T* to = g + row * p.x.w * p.s * p.k;
      for (int64_t v = 0; v < p.x.w; ++v)
        for (int64_t s = 0; s < p.s; ++s)
          for (int64_t k = 0; k < p.k; ++k, ++to)
            *to = v >= s && v - s < out.w ? T(float(from[(v - s) * p.k + k])) : T(0.f);
    });
  }

  Problem problem_, gathered_;
  std::unique_ptr<PassPlan> inner_;
};

}  // namespace

std::unique_ptr<PassPlan> make_column_pass(Context& context, const PassProblem& pass, std::string& refusal) {
  const Problem& p = pass.problem;
  refusal = fmt::format("for stride 1, at least 3 filter columns, at most {} outputs and 8 inputs or more",
                        kMaxColumnChannels);
  if (p.stride != 1 || p.s < 3 || p.k > kMaxColumnChannels || p.x.c < 8) return nullptr;
  if (pass.pass == Pass::Forward) return make_column_sum(context, pass, refusal);
  if (pass.pass == Pass::BackwardWeights && p.pad == Padding{})
    return std::make_unique<ColumnWeights>(context, pass);
  refusal = "for the forward pass, and for the weight gradient without padding";
  return nullptr;
}

}  // namespace chiaro::conv2d
