// cuDNN's convolutions and our own on the GPU against the plain loops in double: exact on small integers, in
// every precision.
#include <doctest/doctest.h>

#include "kernels/elementwise/elementwise.hpp"
#include "tests/kernels/test_conv2d_harness.hpp"
#include "tests/kernels_gpu/device_array.hpp"

using namespace chiaro;
using namespace chiaro::conv2d;
using namespace chiaro::conv2d::test;
using chiaro::gpu::DeviceArray;

namespace {

std::vector<Problem> geometries() {
  return {
      {.x = {2, 12, 11, 3}, .k = 32, .r = 9, .s = 9},
      {.x = {2, 13, 14, 32}, .k = 3, .r = 9, .s = 9},
      {.x = {2, 9, 11, 5}, .k = 7, .r = 3, .s = 3, .stride = 2},
      {.x = {1, 8, 10, 16}, .k = 32, .r = 3, .s = 3, .stride = 2, .pad = {1, 1, 1, 1}},
      {.x = {2, 8, 10, 16}, .k = 24, .r = 3, .s = 3, .stride = 2, .pad = {1, 0, 1, 0}},
      {.x = {1, 7, 9, 33}, .k = 17, .r = 3, .s = 3, .pad = {1, 1, 1, 1}},
      {.x = {2, 16, 16, 64}, .k = 64, .r = 3, .s = 3, .pad = {1, 1, 1, 1}},
      {.x = {2, 6, 7, 16}, .k = 16, .r = 2, .s = 3, .pad = {1, 0, 1, 1}},
      {.x = {2, 6, 7, 16}, .k = 16, .r = 2, .s = 2, .pad = {1, 0, 1, 0}},
      {.x = {1, 5, 6, 64}, .k = 32, .r = 1, .s = 1},
      {.x = {1, 12, 12, 64}, .k = 1, .r = 3, .s = 3, .pad = {1, 1, 1, 1}},
  };
}

std::vector<Problem> with_types(Problem p) {
  std::vector<Problem> all;
  for (const auto& [dtype, y_dtype] : {std::pair{DType::F32, DType::F32}, std::pair{DType::BF16, DType::BF16},
                                       std::pair{DType::BF16, DType::F32}}) {
    p.dtype = dtype;
    p.y_dtype = y_dtype;
    all.push_back(p);
  }
  return all;
}

DeviceArray upload(Context& context, const Values& v, DType dtype) {
  return visit_dtype(dtype, [&](auto zero) {
    std::vector<decltype(zero)> typed;
    for (const double e : v) typed.push_back(decltype(zero)(static_cast<float>(e)));
    return DeviceArray(context, typed);
  });
}
Values download(const DeviceArray& array, DType dtype) {
  return visit_dtype(dtype, [&](auto zero) {
    Values v;
    for (const auto e : array.host<decltype(zero)>()) v.push_back(float(e));
    return v;
  });
}

Results run_on_gpu(Context& context, const Problem& p, const Data& d, GradientMode mode,
                   const std::string& implementation = "cudnn") {
  const ForcedImplementation force("conv2d:" + implementation);
  const auto plan = Plan::make(context, p);
  const auto x = upload(context, d.x, p.dtype), dy = upload(context, d.dy, p.y_dtype),
             w = upload(context, d.w, DType::F32), b = upload(context, d.b, DType::F32),
             y = upload(context, d.old_y, p.y_dtype), dx = upload(context, d.old_dx, p.dtype),
             dw = upload(context, d.old_dw, DType::F32), db = upload(context, d.old_db, DType::F32);
  const TensorView x_view{x.data(), p.dtype, p.x}, dy_view{dy.data(), p.y_dtype, p.y()},
      dx_view{dx.data(), p.dtype, p.x};
  const auto packed = [&](Pass pass) {
    DeviceArray bytes(context, plan->packed_bytes(pass));
    plan->pack(context, pass, w.floats(), bytes.data());
    return bytes;
  };
  const auto space = [&](Pass pass) { return DeviceArray(context, plan->workspace_bytes(pass)); };
  const auto forward_weights = packed(Pass::Forward), data_weights = packed(Pass::BackwardData);
  const auto forward_space = space(Pass::Forward), data_space = space(Pass::BackwardData),
             weights_space = space(Pass::BackwardWeights);
  const Shape k{1, 1, 1, p.k};
  DeviceArray bias(context, p.k * size_of(plan->bias_dtype()));
  if (p.bias)
    copy(context, {b.data(), DType::F32, k}, {bias.data(), plan->bias_dtype(), k}, GradientMode::Overwrite);
  const auto forward = [&](const DeviceArray& out, ConstTensorView residual) {
    plan->forward(context, x_view, forward_weights.data(), p.bias ? bias.data() : nullptr,
                  {out.data(), p.y_dtype, p.y()}, forward_space.data(), residual);
  };
  forward(y, {});
  if (p.accumulate) {  // a residual takes the place of the old contents
    const auto residual = upload(context, d.old_y, p.y_dtype), other = upload(context, d.old_y, p.y_dtype);
    fill_async(context, other.data(), 0xff, p.y().count() * size_of(p.y_dtype));
    forward(other, {residual.data(), p.y_dtype, p.y()});
    CHECK(download(other, p.y_dtype) == download(y, p.y_dtype));
  }
  plan->backward_data(context, dy_view, data_weights.data(), dx_view, mode, data_space.data());
  plan->backward_weights(context, x_view, dy_view, dw.floats(), p.bias ? db.floats() : nullptr, mode,
                         weights_space.data());
  return {download(y, p.y_dtype), download(dx, p.dtype), download(dw, DType::F32), download(db, DType::F32)};
}

// cuDNN's bf16 dw is rounded before it is added to the fp32 gradient.
Results expected(const Problem& p, const Data& d, GradientMode mode) {
  Results r = rounded(run_double(p, d, mode), p);
  if (p.dtype == DType::F32) return r;
  r.dw = rounded(run_double(p, d, GradientMode::Overwrite).dw, DType::BF16);
  if (mode == GradientMode::Accumulate)
    for (std::size_t i = 0; i < r.dw.size(); ++i) r.dw[i] += d.old_dw[i];
  return r;
}

void check_exact(Context& context, const Problem& p, const Data& d, GradientMode mode) {
  CAPTURE(to_string(p));
  const Results e = expected(p, d, mode), found = run_on_gpu(context, p, d, mode);
  CHECK(found.y == e.y);
  CHECK(found.dx == e.dx);
  CHECK(found.dw == e.dw);
  if (p.bias) CHECK(found.db == e.db);
}

}  // namespace

TEST_CASE("conv2d on the GPU: small integers are exact in all passes, shapes and precisions") {
  Context context(Device::Cuda, 2);
  for (const bool tf32 : {false, true}) {
    context.allow_tf32(tf32);
    for (const Problem& geometry : geometries())
      for (const Problem& p : with_types(geometry))
        for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate})
          check_exact(context, p, integer_data(p, 1), mode);
  }
}

TEST_CASE("conv2d on the GPU: our own kernels are exact on small integers") {
  Context context(Device::Cuda, 2);
  for (const Problem& geometry : geometries())
    for (Problem p : with_types(geometry))
      for (const auto mode : {GradientMode::Overwrite, GradientMode::Accumulate}) {
        p.bias = p.relu = p.accumulate = mode == GradientMode::Accumulate;
        CAPTURE(to_string(p));
        const Data d = integer_data(p, 1);
        CHECK(run_on_gpu(context, p, d, mode, "implicit_gemm") == rounded(run_double(p, d, mode), p));
      }
}

TEST_CASE("conv2d on the GPU: bias, accumulation and ReLU follow the convolution in that order") {
  Context context(Device::Cuda, 2);
  for (const Problem& geometry : geometries())
    for (Problem p : with_types(geometry))
      for (int mask = 1; mask < 8; ++mask) {
        p.bias = mask & 1, p.relu = mask & 2, p.accumulate = mask & 4;
        check_exact(context, p, integer_data(p, 1), GradientMode::Overwrite);
      }
}

TEST_CASE("conv2d on the GPU: strict fp32 has fp32 accuracy, and a second run the same bits") {
  Context context(Device::Cuda, 2);
  for (const Problem& p : geometries()) {
    CAPTURE(to_string(p));
    const Data d = normal_data(p);
    const Results e = run_double(p, d, GradientMode::Overwrite),
                  found = run_on_gpu(context, p, d, GradientMode::Overwrite);
    const auto limit = [](std::int64_t terms) {
      return 1e-14 * static_cast<double>(std::max<std::int64_t>(terms, 100));
    };
    CHECK(nmse(e.y, found.y) <= limit(p.r * p.s * p.x.c));
    CHECK(nmse(e.dx, found.dx) <= limit(p.r * p.s * p.k));
    CHECK(nmse(e.dw, found.dw) <= limit(p.y().n * p.y().pixels()));
    CHECK(run_on_gpu(context, p, d, GradientMode::Overwrite) == found);
  }
}
