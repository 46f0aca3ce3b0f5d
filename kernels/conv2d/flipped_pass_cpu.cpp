// The data gradient of a convolution with stride 1 as a forward pass: dy convolved with flipped filters,
// outputs and inputs exchanged. Where one side has few channels forward passes are the faster ones: to few
// channels by column sums (VGG's first layer), from few channels because libraries pad those less (the
// transform network's last layer, for which oneDNN has plain loops only at most sizes below AVX-512).
#include <vector>

#include "kernels/conv2d/column_passes.hpp"
#include "kernels/conv2d/elementwise.hpp"

namespace chiaro::conv2d {

namespace {

class FlippedPass final : public PassPlan {
 public:
  FlippedPass(const PassProblem& pass, std::unique_ptr<PassPlan> forward)
      : problem_(pass.problem),
        forward_(std::move(forward)),
        flipped_(static_cast<std::size_t>(pass.problem.weight_count())) {}

  std::string name() const override { return "flipped"; }
  std::string details() const override {
    return fmt::format("{}, {}", forward_->name(), forward_->details());
  }
  std::string packed_key() const override { return "flipped " + forward_->packed_key(); }
  int64_t packed_bytes() const override { return forward_->packed_bytes(); }
  void pack(const float* w, void* packed) override {
    const Problem& p = problem_;
    const int64_t taps = p.r * p.s;
    for (int64_t c = 0; c < p.x.c; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        for (int64_t k = 0; k < p.k; ++k)
          flipped_[static_cast<std::size_t>((c * taps + taps - 1 - tap) * p.k + k)] =
              w[(k * taps + tap) * p.x.c + c];
    forward_->pack(flipped_.data(), packed);
  }
  int64_t workspace_bytes() const override { return dy_bytes() + dx_bytes() + forward_->workspace_bytes(); }

  void run(const PassArgs& a) override {
    const Problem& p = problem_;
    auto* rounded = static_cast<std::byte*>(a.workspace);
    auto* fresh = rounded + dy_bytes();
    if (dy_bytes())
      round_to_bf16(reinterpret_cast<bf16*>(rounded), static_cast<const float*>(a.dy), p.y().count());
    void* dx = a.accumulate ? fresh : a.dx;
    forward_->run(
        {.x = dy_bytes() ? rounded : a.dy, .packed = a.packed, .y = dx, .workspace = fresh + dx_bytes()});
    if (a.accumulate) add_to(p.dtype, a.dx, fresh, p.x.count());
  }

 private:
  int64_t dy_bytes() const {  // of dy rounded to bf16
    return problem_.dtype == problem_.y_dtype ? 0
                                              : workspace_part(problem_.y().count() * size_of(DType::BF16));
  }
  int64_t dx_bytes() const { return workspace_part(problem_.x.count() * size_of(problem_.dtype)); }

  Problem problem_;
  std::unique_ptr<PassPlan> forward_;
  std::vector<float> flipped_;  // weights on their way through pack()
};

}  // namespace

Problem flipped_problem(const Problem& p) {
  return {.x = p.y(),
          .k = p.x.c,
          .r = p.r,
          .s = p.s,
          .stride = 1,
          .pad = {p.r - 1 - p.pad.top, p.r - 1 - p.pad.bottom, p.s - 1 - p.pad.left, p.s - 1 - p.pad.right},
          .dtype = p.dtype,
          .y_dtype = p.dtype};
}

std::unique_ptr<PassPlan> make_flipped_pass(Context& context, const PassProblem& pass, std::string& refusal) {
  const Problem& p = pass.problem;
  const bool few_inputs = p.x.c <= kMaxColumnChannels && p.k >= 8,
             few_outputs = p.k <= kMaxColumnChannels && p.x.c >= 8;
  const bool pads_flip = p.pad.top < p.r && p.pad.bottom < p.r && p.pad.left < p.s && p.pad.right < p.s;
  if (pass.pass != Pass::BackwardData || p.stride != 1 || p.s < 3 || !pads_flip ||
      !(few_inputs || few_outputs)) {
    refusal = fmt::format(
        "for data gradients with stride 1, at least 3 filter columns and at most {} channels on one side, 8 "
        "on the other",
        kMaxColumnChannels);
    return nullptr;
  }
  const PassProblem flipped{flipped_problem(p), Pass::Forward, pass.threads};
  auto forward = few_inputs ? make_column_pass(context, flipped, refusal) : make_inner_pass(context, flipped);
  if (!forward) return nullptr;
  return std::make_unique<FlippedPass>(pass, std::move(forward));
}

}  // namespace chiaro::conv2d
