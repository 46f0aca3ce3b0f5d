#include "layers/packed_weights.hpp"

#include "kernels/upsample/upsample.hpp"

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

}  // namespace chiaro
