// Runs a conv2d plan on host vectors, and the same problem on the double reference.
#pragma once
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "kernels/conv2d/conv2d_reference.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/forced_implementation.hpp"

namespace chiaro::conv2d::test {

using Values = std::vector<double>;

using chiaro::test::ForcedImplementation;
using chiaro::test::nmse;

// 64-byte aligned bytes, filled with NaN patterns so that reads of unset memory show.
class Bytes {
 public:
  explicit Bytes(int64_t count) : storage_(static_cast<std::size_t>(count) + 64, 0xff) {}
  void* get() {
    void* p = storage_.data();
    std::size_t space = storage_.size();
    return std::align(64, 1, p, space);
  }

 private:
  std::vector<unsigned char> storage_;
};

inline Values integers(int64_t count, int limit, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> pick(-limit, limit);
  Values v(static_cast<std::size_t>(count));
  for (double& e : v) e = pick(random);
  return v;
}
inline Values normals(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> pick;
  Values v(static_cast<std::size_t>(count));
  for (double& e : v) e = pick(random);
  return v;
}

inline double rounded(double v, DType dtype) {
  const auto f = static_cast<float>(v);
  return dtype == DType::F32 ? f : static_cast<float>(bf16(f));
}
inline Values rounded(Values v, DType dtype) {
  for (double& e : v) e = rounded(e, dtype);
  return v;
}

inline Bytes to_bytes(const Values& v, DType dtype) {
  Bytes bytes(static_cast<int64_t>(v.size()) * size_of(dtype));
  visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (std::size_t i = 0; i < v.size(); ++i) static_cast<T*>(bytes.get())[i] = T(static_cast<float>(v[i]));
  });
  return bytes;
}
inline Values to_values(Bytes& bytes, std::size_t count, DType dtype) {
  Values v(count);
  visit_dtype(dtype, [&](auto zero) {
    for (std::size_t i = 0; i < count; ++i) v[i] = float(static_cast<decltype(zero)*>(bytes.get())[i]);
  });
  return v;
}

// Inputs of all passes, and old values for what accumulates.
struct Data {
  Values x, w, b, dy, old_y, old_dx, old_dw, old_db;
};
inline Data integer_data(const Problem& p, int limit = 2) {
  const auto make = [&](int64_t count, unsigned seed) { return integers(count, limit, seed); };
  return {make(p.x.count(), 1),
          make(p.weight_count(), 2),
          make(p.k, 3),
          make(p.y().count(), 4),
          make(p.y().count(), 5),
          make(p.x.count(), 6),
          make(p.weight_count(), 7),
          make(p.k, 8)};
}
inline Data normal_data(const Problem& p) {
  return {rounded(normals(p.x.count(), 1), p.dtype),
          rounded(normals(p.weight_count(), 2), p.dtype),
          normals(p.k, 3),
          rounded(normals(p.y().count(), 4), p.dtype),
          rounded(normals(p.y().count(), 5), p.y_dtype),
          rounded(normals(p.x.count(), 6), p.dtype),
          normals(p.weight_count(), 7),
          normals(p.k, 8)};
}

struct Results {
  Values y, dx, dw, db;
  bool operator==(const Results&) const = default;
};

// Whether CHIARO_IMPL can force an implementation for all three passes.
inline bool can_force(const Problem& p, const std::string& implementation) {
  const ForcedImplementation force("conv2d:" + implementation);
  Context context(2);
  try {
    const auto plan = Plan::make(context, p);
    for (const Pass pass : {Pass::Forward, Pass::BackwardData, Pass::BackwardWeights})
      (void)plan->workspace_bytes(pass);
  } catch (const Error&) {
    return false;
  }
  return true;
}

// mode: of both gradients. `implementation` "" = the plan's own choice.
inline Results run_plan(const Problem& p, const Data& d, GradientMode mode,
                        const std::string& implementation = "", int threads = 2) {
  const ForcedImplementation force(implementation.empty() ? "" : "conv2d:" + implementation);
  Context context(threads);
  const auto plan = Plan::make(context, p);
  Bytes x = to_bytes(d.x, p.dtype), dy = to_bytes(d.dy, p.y_dtype), w = to_bytes(d.w, DType::F32),
        b = to_bytes(d.b, DType::F32), y = to_bytes(d.old_y, p.y_dtype), dx = to_bytes(d.old_dx, p.dtype),
        dw = to_bytes(d.old_dw, DType::F32), db = to_bytes(d.old_db, DType::F32);
  const auto floats = [](Bytes& bytes) { return static_cast<float*>(bytes.get()); };
  const TensorView x_view{x.get(), p.dtype, p.x}, dy_view{dy.get(), p.y_dtype, p.y()},
      dx_view{dx.get(), p.dtype, p.x};
  const auto packed = [&](Pass pass) {
    Bytes bytes(plan->packed_bytes(pass));
    plan->pack(context, pass, floats(w), bytes.get());
    return bytes;
  };
  Bytes forward_weights = packed(Pass::Forward), data_weights = packed(Pass::BackwardData);
  const auto workspace = [&](Pass pass) { return Bytes(plan->workspace_bytes(pass)); };
  Bytes forward_space = workspace(Pass::Forward), data_space = workspace(Pass::BackwardData),
        weights_space = workspace(Pass::BackwardWeights);
  const auto forward = [&](Bytes& out, ConstTensorView residual) {
    plan->forward(context, x_view, forward_weights.get(), p.bias ? floats(b) : nullptr,
                  {out.get(), p.y_dtype, p.y()}, forward_space.get(), residual);
  };
  forward(y, {});
  if (p.accumulate) {  // a residual takes the place of the old contents
    Bytes residual = to_bytes(d.old_y, p.y_dtype);
    Bytes other = to_bytes(Values(d.old_y.size(), 1e9), p.y_dtype);
    forward(other, {residual.get(), p.y_dtype, p.y()});
    CHECK(to_values(other, d.old_y.size(), p.y_dtype) == to_values(y, d.old_y.size(), p.y_dtype));
  }
  plan->backward_data(context, dy_view, data_weights.get(), dx_view, mode, data_space.get());
  plan->backward_weights(context, x_view, dy_view, floats(dw), p.bias ? floats(db) : nullptr, mode,
                         weights_space.get());
  return {to_values(y, d.old_y.size(), p.y_dtype), to_values(dx, d.old_dx.size(), p.dtype),
          to_values(dw, d.old_dw.size(), DType::F32), to_values(db, d.old_db.size(), DType::F32)};
}

// The same in double, unrounded.
inline Results run_double(const Problem& p, const Data& d, GradientMode mode) {
  Results r{d.old_y, d.old_dx, d.old_dw, d.old_db};
  const bool accumulate = mode == GradientMode::Accumulate;
  reference::forward(p, d.x.data(), d.w.data(), p.bias ? d.b.data() : nullptr, r.y.data());
  if (mode == GradientMode::Ignore) return r;
  reference::backward_data(p, d.dy.data(), d.w.data(), r.dx.data(), accumulate);
  reference::backward_weights(p, d.x.data(), d.dy.data(), r.dw.data(), p.bias ? r.db.data() : nullptr,
                              accumulate);
  return r;
}
inline Results rounded(const Results& r, const Problem& p) {
  return {rounded(r.y, p.y_dtype), rounded(r.dx, p.dtype), rounded(r.dw, DType::F32),
          rounded(r.db, DType::F32)};
}

}  // namespace chiaro::conv2d::test
