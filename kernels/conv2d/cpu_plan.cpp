// A convolution on the CPU: which implementation does which pass.
#include <array>

#include "kernels/base/build_config.hpp"
#include "kernels/base/dispatch.hpp"
#include "kernels/conv2d/implementations.hpp"
#include "kernels/conv2d/pass_plan.hpp"

namespace chiaro::conv2d {

namespace {

using Entry = Implementation<PassProblem, PassPlan>;

std::unique_ptr<PassPlan> no_onednn(Context&, const PassProblem&, std::string& refusal) {
  refusal = "this build has no oneDNN";
  return nullptr;
}

std::unique_ptr<PassPlan> make_onednn(Context& context, const PassProblem& p, std::string& refusal) {
  if constexpr (kHaveOneDnn)
    return make_onednn_pass(context, p, refusal);
  else
    return no_onednn(context, p, refusal);
}

constexpr std::array<Entry, 7> kList = {{{"columns", make_column_pass},
                                         {"flipped", make_flipped_pass},
                                         {"winograd", make_winograd_pass},
                                         {"onednn", make_onednn},
                                         {"widened", make_widened_pass},
                                         {"direct", make_direct_pass},
                                         {"reference", make_reference_pass}}};
constexpr std::size_t kOuterEntries = 2;  // those that ask for an inner pass of the same type

class CpuPlan final : public Plan {
 public:
  CpuPlan(Context& context, const Problem& problem, Threads threads)
      : Plan(problem, "cpu"), context_(context), threads_(threads) {
    (void)pass(Pass::Forward);
  }

 private:
  PassPlan& pass(Pass which) const {
    auto& found = passes_[static_cast<std::size_t>(which)];
    if (!found) found = make_pass(context_, {problem(), which, threads_});
    return *found;
  }

  std::string implementation_impl(Pass which) const override { return pass(which).name(); }
  std::string details_impl() const override { return pass(Pass::Forward).details(); }
  std::string packed_key_impl(Pass which) const override { return pass(which).packed_key(); }
  int64_t packed_bytes_impl(Pass which) const override { return pass(which).packed_bytes(); }
  void pack_impl(Context&, Pass which, const float* w, void* packed) override { pass(which).pack(w, packed); }
  int64_t workspace_bytes_impl(Pass which) const override { return pass(which).workspace_bytes(); }

  void forward_impl(Context&, const void* x, const void* packed, const void* bias, const void*, void* y,
                    void* workspace) override {
    pass(Pass::Forward)
        .run({.x = x,
              .packed = packed,
              .bias = static_cast<const float*>(bias),
              .y = y,
              .workspace = workspace});
  }
  void backward_data_impl(Context&, const void* dy, const void* packed, void* dx, bool accumulate,
                          void* workspace) override {
    pass(Pass::BackwardData)
        .run({.dy = dy, .packed = packed, .dx = dx, .accumulate = accumulate, .workspace = workspace});
  }
  void backward_weights_impl(Context&, const void* x, const void* dy, float* dw, float* db, bool accumulate,
                             void* workspace) override {
    pass(Pass::BackwardWeights)
        .run({.x = x, .dy = dy, .dw = dw, .db = db, .accumulate = accumulate, .workspace = workspace});
  }

  mutable Context context_;
  Threads threads_;
  mutable std::array<std::unique_ptr<PassPlan>, 3> passes_;
};

}  // namespace

std::string to_string(const PassProblem& p) {
  return fmt::format("{} {}", to_string(p.problem), name_of(p.pass));
}

std::unique_ptr<PassPlan> make_pass(Context& context, const PassProblem& p) {
  const std::string text = to_string(p);
  auto plan = make_first_supported(context, "conv2d", text, std::span<const Entry>(kList), p);
  const Problem& c = p.problem;
  const auto multiply_adds = static_cast<double>(c.y().count() * c.r * c.s * c.x.c);
  context.tally().add(text, multiply_adds, plan->name() == "reference");
  return plan;
}

std::unique_ptr<PassPlan> make_inner_pass(Context& context, const PassProblem& p) {
  const std::string forced = forced_implementation("conv2d");
  std::string refusal;
  for (const Entry& entry : std::span(kList).subspan(kOuterEntries)) {
    if (forced == std::string("-") + entry.name) continue;
    if (auto plan = entry.make(context, p, refusal)) return plan;
  }
  throw Error("conv2d {}: no implementation can do this: {}", to_string(p), refusal);
}

std::unique_ptr<Plan> make_cpu_plan(Context& context, const Problem& problem, Threads threads) {
  return std::make_unique<CpuPlan>(context, problem, threads);
}

}  // namespace chiaro::conv2d
