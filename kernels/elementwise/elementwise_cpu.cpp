#include "kernels/base/blocks.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/elementwise/map.hpp"

namespace chiaro::elementwise::cpu {

namespace {

// Calls f(begin, end) in parallel for blocks of elements.
template <class F>
void for_each_block(std::int64_t count, F&& f) {
  parallel_blocks(count, kElementBlock,
                  [&](std::int64_t, std::int64_t begin, std::int64_t end) { f(begin, end); });
}

// Calls f with a value of each tensor's element type.
template <class Op, class F>
void visit_types(DType a, DType b, F&& f) {
  visit_dtype(a, [&](auto first) {
    if constexpr (Op::kOneType)
      f(first, first);
    else
      visit_dtype(b, [&](auto second) { f(first, second); });
  });
}

}  // namespace

template <class Op>
void map(Op op, ConstTensorView x, TensorView y, bool accumulate) {
  visit_types<Op>(x.dtype, y.dtype, [&](auto zx, auto zy) {
    using X = decltype(zx);
    using Y = decltype(zy);
    const X* from = x.as<X>();
    Y* to = y.as<Y>();
    for_each_block(x.shape.count(), [=](std::int64_t begin, std::int64_t end) {
      if (std::is_same_v<Op, Copy> && !accumulate) return copy_run(from + begin, to + begin, end - begin);
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) store_gradient(to[i], op(float(from[i])), accumulate);
    });
  });
}

template <class Op>
void map(Op op, ConstTensorView a, ConstTensorView b, TensorView y, bool accumulate) {
  visit_types<Op>(a.dtype, b.dtype, [&](auto za, auto zb) {
    visit_types<Op>(dtype_of<decltype(zb)>, y.dtype, [&](auto, auto zy) {
      using A = decltype(za);
      using B = decltype(zb);
      using Y = decltype(zy);
      const A* first = a.as<A>();
      const B* second = b.as<B>();
      Y* to = y.as<Y>();
      for_each_block(a.shape.count(), [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i)
          store_gradient(to[i], op(float(first[i]), float(second[i])), accumulate);
      });
    });
  });
}

template <class Op>
void map_channels(Op op, ConstTensorView x, const float* mean, const float* scale, TensorView y,
                  bool accumulate) {
  const ChannelPattern pattern(x.shape.c);
  const auto means = pattern.repeat(mean, x.shape.c), scales = pattern.repeat(scale, x.shape.c);
  visit_dtype(x.dtype, [&](auto zx) {
    visit_dtype(y.dtype, [&](auto zy) {
      const auto* from = x.as<decltype(zx)>();
      auto* to = y.as<decltype(zy)>();
      pattern.for_each_run(x.shape.count(), [&](std::int64_t offset, std::int64_t length) {
        const float *m = means.data(), *k = scales.data();
#pragma omp simd
        for (std::int64_t i = 0; i < length; ++i)
          store_gradient(to[offset + i], op(float(from[offset + i]), m[i], k[i]), accumulate);
      });
    });
  });
}

template void map(Copy, ConstTensorView, TensorView, bool);
template void map(Relu, ConstTensorView, TensorView, bool);
template void map(ReluGradient, ConstTensorView, ConstTensorView, TensorView, bool);
template void map(TanhOutput, ConstTensorView, TensorView, bool);
template void map(TanhOutputGradient, ConstTensorView, ConstTensorView, TensorView, bool);
template void map_channels(ChannelAffine, ConstTensorView, const float*, const float*, TensorView, bool);
template void map_channels(ChannelAffineGradient, ConstTensorView, const float*, const float*, TensorView,
                           bool);

}  // namespace chiaro::elementwise::cpu
