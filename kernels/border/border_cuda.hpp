// border.hpp on CUDA, one launch each: border_forward, border_backward, border_fill, border_fold, border_crop,
// border_crop_backward.
// Bytes moved: source and destination once (the window alone where the rest is not written), destinations that are
// added to twice; fill and fold touch the border and the pixels that it mirrors.
#pragma once
#include "kernels/border/border.hpp"
#include "kernels/common/cuda_stream.hpp"

namespace chiaro::border::cuda {

void forward(CudaStream, ConstTensorView x, TensorView y, const Border&);
void backward(CudaStream, ConstTensorView dy, TensorView dx, bool accumulate, const Border&);
void fill_in_place(CudaStream, TensorView y, const Border&);
void fold_in_place(CudaStream, TensorView dy, const Border&);
void crop_forward(CudaStream, ConstTensorView x, TensorView y, std::int64_t row0, std::int64_t col0);
void crop_backward(CudaStream, ConstTensorView dy, TensorView dx, bool accumulate, std::int64_t row0,
                   std::int64_t col0);

}  // namespace chiaro::border::cuda
