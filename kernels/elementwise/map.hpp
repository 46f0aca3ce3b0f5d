// Loops over the functors of ops.hpp, on the CPU and on CUDA. Arguments are checked by elementwise.cpp.
//
// y = op(x), y = op(a, b), or y = op(x, mean[c], scale[c]); added to y with `accumulate`.
// Launches: one, under the name that is given.
// Bytes moved on CUDA: inputs and y once, y twice where it is added to. Vectors of 16 bytes of the smallest
// type where arrays are aligned for them; across pixels, so that three channels take them too.
// Instances: of every functor, in elementwise_cpu.cpp and elementwise_cuda.cu.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/base/tensor.hpp"
#include "kernels/elementwise/ops.hpp"

namespace chiaro::elementwise {

namespace cpu {
template <class Op>
void map(Op op, ConstTensorView x, TensorView y, bool accumulate);
template <class Op>
void map(Op op, ConstTensorView a, ConstTensorView b, TensorView y, bool accumulate);
template <class Op>
void map_channels(Op op, ConstTensorView x, const float* mean, const float* scale, TensorView y,
                  bool accumulate);
}  // namespace cpu

namespace cuda {
template <class Op>
void map(const char* name, CudaStream, Op op, ConstTensorView x, TensorView y, bool accumulate);
template <class Op>
void map(const char* name, CudaStream, Op op, ConstTensorView a, ConstTensorView b, TensorView y,
         bool accumulate);
template <class Op>
void map_channels(const char* name, CudaStream, Op op, ConstTensorView x, const float* mean,
                  const float* scale, TensorView y, bool accumulate);
}  // namespace cuda

}  // namespace chiaro::elementwise
