// Convolutions with few channels on one side, where oneDNN's padding of channels wastes most of the work:
//   few outputs (the transform network's last layer): forward by column sums (column_sum_onednn.hpp); the
//   weight
//     gradient with the filter's columns as output channels of an R x 1 convolution,
//       g[n,p,v,s*K+k] = dy[n,p,v-s,k],  dw[k,r,s,c] = sum_{n,p,v} g[n,p,v,s*K+k] * x[n,p+r,v,c];
//   few inputs (VGG's first layer): the data gradient by column sums, as a convolution of dy with flipped
//   filters.
// All other passes are those of the plain oneDNN plan.
#include <algorithm>

#include "kernels/common/parallel.hpp"
#include "kernels/conv2d/column_sum_onednn.hpp"
#include "kernels/conv2d/implementations.hpp"

namespace chiaro::conv2d {

namespace {

constexpr int64_t aligned(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

class FewOutputsPlan final : public Plan {
 public:
  FewOutputsPlan(const Problem& problem, std::unique_ptr<Plan> plain, std::unique_ptr<ColumnSum> sum,
                 std::unique_ptr<Plan> gathered)
      : Plan(problem, "onednn_columns"),
        plain_(std::move(plain)),
        sum_(std::move(sum)),
        gathered_(std::move(gathered)) {}

  // The R x 1 convolution whose weight gradient is wanted. Its bias gradient holds S copies of db.
  static Problem gathered_problem(const Problem& p) {
    Problem g = p;
    g.k = p.s * p.k;
    g.s = 1;
    g.y_dtype = p.dtype;
    g.relu = g.accumulate = false;
    return g;
  }

 private:
  std::string details_impl() const override {
    return fmt::format("forward {}; data {}; weights {}", sum_->details(), plain_->details(),
                       gathered_->details());
  }
  std::string packed_key_impl(Pass pass) const override {
    return pass == Pass::Forward ? sum_->packed_key() : plain_->packed_key(pass);
  }
  int64_t packed_bytes_impl(Pass pass) const override {
    return pass == Pass::Forward ? sum_->packed_bytes() : plain_->packed_bytes(pass);
  }
  void pack_impl(Context& context, Pass pass, const float* w, void* packed) override {
    pass == Pass::Forward ? sum_->pack(context, w, packed) : plain_->pack(context, pass, w, packed);
  }

  int64_t g_bytes() const { return aligned(gathered_->problem().y().count() * size_of(problem().dtype)); }
  int64_t dw_bytes() const { return aligned(problem().weight_count() * 4); }
  int64_t db_bytes() const { return aligned(gathered_->problem().k * 4); }
  int64_t workspace_bytes_impl(Pass pass) const override {
    if (pass == Pass::Forward) return sum_->workspace_bytes();
    if (pass == Pass::BackwardData) return plain_->workspace_bytes(pass);
    return g_bytes() + dw_bytes() + db_bytes() + gathered_->workspace_bytes(pass);
  }

  void forward_impl(Context& context, const void* x, const void* packed, const void* bias, const void*,
                    void* y, void* workspace) override {
    sum_->run(context, x, packed, static_cast<const float*>(bias), y, problem().accumulate, workspace);
  }
  void backward_data_impl(Context& context, const void* dy, const void* packed, void* dx, bool accumulate,
                          void* workspace) override {
    plain_->backward_data(context, {dy, problem().y_dtype, problem().y()}, packed,
                          {dx, problem().dtype, problem().x},
                          accumulate ? GradientMode::Accumulate : GradientMode::Overwrite, workspace);
  }
  void backward_weights_impl(Context& context, const void* x, const void* dy, float* dw, float* db,
                             bool accumulate, void* workspace) override {
    const Problem& p = problem();
    auto* g = static_cast<std::byte*>(workspace);
    auto* column_dw = reinterpret_cast<float*>(g + g_bytes());  // (S*K,R,1,C)
    auto* column_db = reinterpret_cast<float*>(g + g_bytes() + dw_bytes());
    visit_dtype(p.dtype, [&](auto t) {
      visit_dtype(p.y_dtype, [&](auto u) {
        gather(static_cast<const decltype(u)*>(dy), reinterpret_cast<decltype(t)*>(g));
      });
    });
    gathered_->backward_weights(context, {x, p.dtype, p.x}, {g, p.dtype, gathered_->problem().y()}, column_dw,
                                db ? column_db : nullptr, GradientMode::Overwrite,
                                g + g_bytes() + dw_bytes() + db_bytes());
    for (int64_t k = 0; k < p.k; ++k)
      for (int64_t r = 0; r < p.r; ++r)
        for (int64_t s = 0; s < p.s; ++s) {
          const float* from = column_dw + ((s * p.k + k) * p.r + r) * p.x.c;
          float* to = dw + ((k * p.r + r) * p.s + s) * p.x.c;
          for (int64_t c = 0; c < p.x.c; ++c) to[c] = accumulate ? to[c] + from[c] : from[c];
        }
    for (int64_t k = 0; db && k < p.k; ++k) db[k] = accumulate ? db[k] + column_db[k] : column_db[k];
  }

  template <class U, class T>
  void gather(const U* dy, T* g) const {
    const Problem& p = problem();
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

  std::unique_ptr<Plan> plain_;
  std::unique_ptr<ColumnSum> sum_;
  std::unique_ptr<Plan> gathered_;
};

class FewInputsPlan final : public Plan {
 public:
  FewInputsPlan(const Problem& problem, std::unique_ptr<Plan> plain, std::unique_ptr<ColumnSum> sum)
      : Plan(problem, "onednn_columns"),
        plain_(std::move(plain)),
        sum_(std::move(sum)),
        flipped_(static_cast<std::size_t>(problem.weight_count())) {}

  // The convolution of dy with flipped filters that gives dx.
  static Problem flipped_problem(const Problem& p) {
    return {.x = p.y(),
            .k = p.x.c,
            .r = p.r,
            .s = p.s,
            .stride = 1,
            .pad = {p.r - 1 - p.pad.top, p.r - 1 - p.pad.bottom, p.s - 1 - p.pad.left, p.s - 1 - p.pad.right},
            .dtype = p.dtype,
            .y_dtype = p.dtype};
  }

 private:
  std::string details_impl() const override {
    return fmt::format("data {}; others {}", sum_->details(), plain_->details());
  }
  std::string packed_key_impl(Pass pass) const override {
    return pass == Pass::BackwardData ? "flipped " + sum_->packed_key() : plain_->packed_key(pass);
  }
  int64_t packed_bytes_impl(Pass pass) const override {
    return pass == Pass::BackwardData ? sum_->packed_bytes() : plain_->packed_bytes(pass);
  }
  void pack_impl(Context& context, Pass pass, const float* w, void* packed) override {
    if (pass == Pass::Forward) return plain_->pack(context, pass, w, packed);
    const Problem& p = problem();
    const int64_t taps = p.r * p.s;
    for (int64_t c = 0; c < p.x.c; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        for (int64_t k = 0; k < p.k; ++k)
          flipped_[static_cast<std::size_t>((c * taps + taps - 1 - tap) * p.k + k)] =
              w[(k * taps + tap) * p.x.c + c];
    sum_->pack(context, flipped_.data(), packed);
  }
  int64_t workspace_bytes_impl(Pass pass) const override {
    return pass == Pass::BackwardData ? sum_->workspace_bytes() : plain_->workspace_bytes(pass);
  }

  void forward_impl(Context& context, const void* x, const void* packed, const void* bias, const void*,
                    void* y, void* workspace) override {
    plain_->forward(context, {x, problem().dtype, problem().x}, packed, bias,
                    {y, problem().y_dtype, problem().y()}, workspace);
  }
  void backward_data_impl(Context& context, const void* dy, const void* packed, void* dx, bool accumulate,
                          void* workspace) override {
    sum_->run(context, dy, packed, nullptr, dx, accumulate, workspace);
  }
  void backward_weights_impl(Context& context, const void* x, const void* dy, float* dw, float* db,
                             bool accumulate, void* workspace) override {
    plain_->backward_weights(context, {x, problem().dtype, problem().x},
                             {dy, problem().y_dtype, problem().y()}, dw, db,
                             accumulate ? GradientMode::Accumulate : GradientMode::Overwrite, workspace);
  }

  std::unique_ptr<Plan> plain_;
  std::unique_ptr<ColumnSum> sum_;
  std::vector<float> flipped_;  // weights on their way through pack()
};

std::unique_ptr<Plan> make_few_outputs(Context& context, const Problem& p, std::string& refusal) {
  auto sum = ColumnSum::make(context, p, refusal);
  if (!sum) return nullptr;
  auto gathered = make_onednn_plan(context, FewOutputsPlan::gathered_problem(p), refusal);
  if (!gathered) return nullptr;
  auto plain = make_onednn_plan(context, p, refusal);
  if (!plain) return nullptr;
  return std::make_unique<FewOutputsPlan>(p, std::move(plain), std::move(sum), std::move(gathered));
}

std::unique_ptr<Plan> make_few_inputs(Context& context, const Problem& p, std::string& refusal) {
  auto sum = ColumnSum::make(context, FewInputsPlan::flipped_problem(p), refusal);
  if (!sum) return nullptr;
  auto plain = make_onednn_plan(context, p, refusal);
  if (!plain) return nullptr;
  return std::make_unique<FewInputsPlan>(p, std::move(plain), std::move(sum));
}

}  // namespace

std::unique_ptr<Plan> make_onednn_columns_plan(Context& context, const Problem& p, std::string& refusal) {
  const bool padded = p.pad != Padding{};
  const bool pads_flip = p.pad.top < p.r && p.pad.bottom < p.r && p.pad.left < p.s && p.pad.right < p.s;
  const bool plain_stride = p.stride == 1 && p.s >= 3;
  if (plain_stride && p.k <= ColumnSum::kMaxOutputs && p.x.c >= 8 && !padded)
    return make_few_outputs(context, p, refusal);
  if (plain_stride && p.x.c <= ColumnSum::kMaxOutputs && p.k >= 8 && pads_flip && p.dtype == p.y_dtype)
    return make_few_inputs(context, p, refusal);
  refusal = fmt::format(
      "for stride 1, at least 3 filter columns and at most {} channels on one side, 8 on the other",
      ColumnSum::kMaxOutputs);
  return nullptr;
}

}  // namespace chiaro::conv2d
