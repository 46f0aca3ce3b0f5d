// Helpers that several layers share.
#pragma once
#include <array>

#include "engine/layer.hpp"
#include "kernels/conv2d/conv2d.hpp"

namespace chiaro {

// The weights in the form that the plan wants, renewed when their values have changed.
inline const void* packed_weights(Context& context, conv2d::Plan& plan, Param weight, conv2d::Pass pass) {
  return weight.store->packed(weight.index, plan.packed_key(pass), plan.packed_bytes(pass),
                              [&](const float* w, void* packed) { plan.pack(context, pass, w, packed); });
}

// The same for a 3x3 convolution after nearest upsampling, whose plan is the equivalent 2x2 convolution with
// four times the outputs. folded: room for its 16 * K * C weights.
const void* packed_folded_weights(Context& context, conv2d::Plan& plan, Param weight, conv2d::Pass pass,
                                  float* folded);

// The bias in the type that the plan wants.
const void* packed_bias(Context& context, const conv2d::Plan& plan, Param bias);

// Where the four phases of such a convolution's output begin; see kernels/interleave.
template <class Window>
std::array<Window, 4> phase_windows(const TensorView& phases, std::int64_t k) {
  std::array<Window, 4> windows;
  for (int a = 0; a < 2; ++a)
    for (int b = 0; b < 2; ++b) windows[2 * a + b] = {phases, a, b, (2 * a + b) * k};
  return windows;
}

}  // namespace chiaro
