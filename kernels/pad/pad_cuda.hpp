// pad.hpp on CUDA, one launch each: pad_forward, pad_backward, pad_fill, pad_fold, pad_crop,
// pad_crop_backward.
// Bytes moved: source and destination once (the window alone where the rest is not written), destinations
// that are added to twice; fill and fold touch the border and the pixels that it mirrors.
#pragma once
#include "kernels/base/cuda_stream.hpp"
#include "kernels/pad/pad.hpp"

namespace chiaro::pad::cuda {

void forward(CudaStream, ConstTensorView x, TensorView y, const Pad&);
void backward(CudaStream, ConstTensorView dy, TensorView dx, bool accumulate, const Pad&);
void fill_in_place(CudaStream, TensorView y, const Pad&);
void fold_in_place(CudaStream, TensorView dy, const Pad&);
void crop_forward(CudaStream, ConstTensorView x, TensorView y, std::int64_t row0, std::int64_t col0);
void crop_backward(CudaStream, ConstTensorView dy, TensorView dx, bool accumulate, std::int64_t row0,
                   std::int64_t col0);

}  // namespace chiaro::pad::cuda
