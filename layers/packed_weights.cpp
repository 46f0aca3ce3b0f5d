#include "layers/packed_weights.hpp"

#include "kernels/common/parallel.hpp"
#include "kernels/upsample/upsample.hpp"

namespace chiaro {

const void* packed_folded_weights(Context& context, conv2d::Plan& plan, Param weight, conv2d::Pass pass,
                                  float* folded) {
  const Shape w = weight.shape();
  return weight.store->packed(weight.index, "folded " + plan.packed_key(pass), plan.packed_bytes(pass),
                              [&](const float* value, void* packed) {
                                upsample::fold_weights(value, w.n, w.c, folded);
                                plan.pack(context, pass, folded, packed);
                              });
}

void add_gradient(Context&, ConstTensorView src, TensorView dst, GradientMode mode) {
  require(src.shape == dst.shape && src.dtype == dst.dtype, "gradients of shapes {} and {} cannot be added",
          to_string(src.shape), to_string(dst.shape));
  constexpr std::int64_t kBlock = 1 << 14;
  const std::int64_t count = src.shape.count();
  visit_dtype(src.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* s = src.as<T>();
    T* d = dst.as<T>();
    parallel_for((count + kBlock - 1) / kBlock, [&](std::int64_t block) {
      const std::int64_t end = std::min(count, (block + 1) * kBlock);
      if (mode == GradientMode::Overwrite)
        for (std::int64_t i = block * kBlock; i < end; ++i) d[i] = s[i];
      else
        for (std::int64_t i = block * kBlock; i < end; ++i) d[i] = T(float(d[i]) + float(s[i]));
    });
  });
}

}  // namespace chiaro
