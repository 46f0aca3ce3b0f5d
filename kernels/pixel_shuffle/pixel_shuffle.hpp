// Interleaves four pictures into one of twice the height and width, with an optional sum and ReLU.
//
//   forward    y[n,2i+a,2j+b,c] = act( src[2a+b][n, i+row0, j+col0, channel0+c] + add[n,2i+a,2j+b,c] )
//   backward   dsrc[2a+b][n, i+row0, j+col0, channel0+c] = d[n,2i+a,2j+b,c],  dadd (+)= d,    a, b in {0, 1}
//              d = dy where y > 0, else 0; without a ReLU d = dy
//
// Layout: NHWC, dense. y, dy, add: (N,2I,2J,C). Each phase 2a+b has its own tensor, corner (row0,col0) and
// first channel; a tensor may serve several phases. All tensors of one call have the same dtype, fp32 or
// bf16. act = ReLU if asked for, which keeps NaN. dadd follows its GradientMode and may be dy when
// overwritten. Backward overwrites the windows; `zero_rest` first sets the tensors to 0, so that elements
// outside the windows are 0 too. Windows on the same tensor must not overlap in backward. Uses: the
// up-projection blocks of the depth network (four interleaved convolutions), and a nearest upsample followed
// by a 3x3 convolution, written as one 2x2 convolution with 4C outputs whose phase (a,b) starts at row0 = a,
// col0 = b, channel0 = (2a+b)*C (see upsample.hpp, fold_weights).
// Deterministic: element by element, independent of the number of threads.
// Errors: chiaro::Error for missing tensors, odd extents of y, a window that leaves its tensor, another
// dtype.
// Source: Laina et al. 2016, arXiv:1606.00373, section 3.2 (fast up-convolutions).
#pragma once
#include <array>

#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::pixel_shuffle {

// Where one phase begins in its tensor.
template <class View>
struct Window {
  View t;
  std::int64_t row0 = 0, col0 = 0, channel0 = 0;
};
using Source = Window<ConstTensorView>;
using Target = Window<TensorView>;

struct ForwardArgs {
  std::array<Source, 4> sources;  // phase (a,b) at 2a+b
  ConstTensorView add = {};       // optional, shape of y; may be y
  TensorView y;                   // overwritten
  bool relu = false;
};
void forward(Context&, const ForwardArgs&);

struct BackwardArgs {
  ConstTensorView dy;
  std::array<Target, 4> targets;  // windows overwritten
  bool zero_rest = false;
  ConstTensorView y = {};  // what forward with a ReLU wrote; absent: there was none
  TensorView dadd = {};    // shape of dy; absent with Ignore
  GradientMode dadd_mode = GradientMode::Ignore;
};
void backward(Context&, const BackwardArgs&);

// Arguments are checked by the functions above.
namespace cpu {
void forward(const ForwardArgs&);
void backward(const BackwardArgs&);
}  // namespace cpu

}  // namespace chiaro::pixel_shuffle
