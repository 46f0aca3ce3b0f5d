#include "layers/packed_weights.hpp"

#include "kernels/elementwise/elementwise.hpp"
#include "kernels/resample/upsample.hpp"

namespace chiaro {

const void* packed_folded_weights(Context& context, conv2d::Plan& plan, Param weight, conv2d::Pass pass,
                                  float* folded) {
  const Shape w = weight.shape();
  return weight.store->packed(weight.index, "folded " + plan.packed_key(pass), plan.packed_bytes(pass),
                              [&](const float* value, void* packed) {
                                upsample::fold_weights(context, value, w.n, w.c, folded);
                                plan.pack(context, pass, folded, packed);
                              });
}

const void* packed_bias(Context& context, const conv2d::Plan& plan, Param bias) {
  const DType dtype = plan.bias_dtype();
  if (dtype == DType::F32) return bias.value();
  const Shape shape = bias.shape();
  return bias.store->packed(
      bias.index, std::string("bias ") + name_of(dtype), shape.count() * size_of(dtype),
      [&](const float* value, void* packed) {
        copy(context, {value, DType::F32, shape}, {packed, dtype, shape}, GradientMode::Overwrite);
      });
}

}  // namespace chiaro
