// The plain loops as a Plan. Packed weights: KRSC in the problem's dtype.
#include "kernels/conv2d/conv2d_reference.hpp"

#include "kernels/conv2d/implementations.hpp"

namespace chiaro::conv2d {

namespace {

class ReferencePlan final : public Plan {
 public:
  explicit ReferencePlan(const Problem& problem) : Plan(problem, "reference") {}

 private:
  std::string details_impl() const override { return "plain loops"; }
  std::string packed_key_impl(Pass) const override {
    const Problem& p = problem();
    return fmt::format("krsc {} {}x{}x{}x{}", name_of(p.dtype), p.k, p.r, p.s, p.x.c);
  }
  int64_t packed_bytes_impl(Pass) const override {
    return problem().weight_count() * size_of(problem().dtype);
  }
  int64_t workspace_bytes_impl(Pass) const override { return 0; }

  void pack_impl(Context&, Pass, const float* w, void* packed) override {
    visit_dtype(problem().dtype, [&](auto zero) {
      using T = decltype(zero);
      std::transform(w, w + problem().weight_count(), static_cast<T*>(packed), [](float v) { return T(v); });
    });
  }

  // Calls f with values of the types T of x and U of y.
  template <class F>
  void visit(F&& f) const {
    visit_dtype(problem().dtype, [&](auto t) { visit_dtype(problem().y_dtype, [&](auto u) { f(t, u); }); });
  }

  void forward_impl(Context&, const void* x, const void* packed, const void* bias, const void*, void* y,
                    void*) override {
    visit([&]<class T, class U>(T, U) {
      reference::forward(problem(), static_cast<const T*>(x), static_cast<const T*>(packed),
                         static_cast<const float*>(bias), static_cast<U*>(y));
    });
  }
  void backward_data_impl(Context&, const void* dy, const void* packed, void* dx, bool accumulate,
                          void*) override {
    visit([&]<class T, class U>(T, U) {
      reference::backward_data(problem(), static_cast<const U*>(dy), static_cast<const T*>(packed),
                               static_cast<T*>(dx), accumulate);
    });
  }
  void backward_weights_impl(Context&, const void* x, const void* dy, float* dw, float* db, bool accumulate,
                             void*) override {
    visit([&]<class T, class U>(T, U) {
      reference::backward_weights(problem(), static_cast<const T*>(x), static_cast<const U*>(dy), dw, db,
                                  accumulate);
    });
  }
};

}  // namespace

std::unique_ptr<Plan> make_reference_plan(Context&, const Problem& problem, std::string&) {
  return std::make_unique<ReferencePlan>(problem);
}

}  // namespace chiaro::conv2d
