#include "kernels/pad/pad_cuda.hpp"

#include "kernels/cuda/device_pad.cuh"
#include "kernels/cuda/elementwise.cuh"

namespace chiaro::pad::cuda {

namespace {

template <int V, class TX, class TY>
__device__ void copy(const TX* from, TY* to) {
  float v[V];
  load<V>(from, v);
  store<V>(to, v);
}

template <class TX, class TY>
struct Forward {
  Picture<const TX> x;
  Picture<TY> y;
  PictureBorder border;

  template <int V>
  __device__ void run(int n, int i, int j, int c) const {
    copy<V>(x.at(n, border.rows.source(i), border.columns.source(j), c), y.at(n, i, j, c));
  }
};

template <class TY, class TX>
struct Backward {
  Picture<const TY> dy;
  Picture<TX> dx;
  PictureBorder border;
  bool accumulate;

  template <int V>
  __device__ void run(int n, int h, int w, int c) const {
    float g[V];
    load_folded<V>(dy.at(n, 0, 0, 0), border, h, w, dy.c, c, g);
    store_gradient<V>(dx.at(n, h, w, c), g, accumulate);
  }
};

// Runs over the pixels of the border alone, counted row by row: above, below, then left and right of each
// row.
template <class T>
struct Fill {
  Picture<T> y;
  PictureBorder border;

  template <int V>
  __device__ void run(int n, int, int b, int c) const {
    const Axis &rows = border.rows, &columns = border.columns;
    const int width = columns.outer(), whole_rows = (rows.before + rows.after) * width;
    int i, j;
    if (b < whole_rows) {
      i = b / width, j = b % width;
      if (i >= rows.before) i += rows.extent;
    } else {
      const int sides = columns.before + columns.after;
      i = rows.before + (b - whole_rows) / sides, j = (b - whole_rows) % sides;
      if (j >= columns.before) j += columns.extent;
    }
    copy<V>(y.at(n, rows.before + rows.source(i), columns.before + columns.source(j), c), y.at(n, i, j, c));
  }
};

template <class T>
struct Fold {
  Picture<T> dy;
  PictureBorder border;

  template <int V>
  __device__ void run(int n, int h, int w, int c) const {
    if (border.rows.single(h) && border.columns.single(w)) return;
    float g[V];
    load_folded<V>(dy.at(n, 0, 0, 0), border, h, w, dy.c, c, g);
    store<V>(dy.at(n, border.rows.before + h, border.columns.before + w, c), g);
  }
};

template <class TX, class TY>
struct Crop {
  Picture<const TX> x;
  Picture<TY> y;
  int row0, col0;

  template <int V>
  __device__ void run(int n, int i, int j, int c) const {
    copy<V>(x.at(n, i + row0, j + col0, c), y.at(n, i, j, c));
  }
};

// Over all of dx, or, where it is added to, over the window alone (row_shift, col_shift).
template <class TY, class TX>
struct CropBackward {
  Picture<const TY> dy;
  Picture<TX> dx;
  int row0, col0, row_shift, col_shift;
  bool accumulate;

  template <int V>
  __device__ void run(int n, int h, int w, int c) const {
    h += row_shift, w += col_shift;
    const int i = h - row0, j = w - col0;
    float g[V] = {};
    if (i >= 0 && i < dy.h && j >= 0 && j < dy.w) load<V>(dy.at(n, i, j, c), g);
    store_gradient<V>(dx.at(n, h, w, c), g, accumulate);
  }
};

Shape inner_shape(const Shape& outer, const Pad& b) {
  return {outer.n, outer.h - b.top - b.bottom, outer.w - b.left - b.right, outer.c};
}

}  // namespace

void forward(CudaStream stream, ConstTensorView x, TensorView y, const Pad& border) {
  visit_dtypes(x.dtype, y.dtype, [&](auto a, auto b) {
    using TX = decltype(a);
    using TY = decltype(b);
    const Forward<TX, TY> op{picture_of<TX>(x), picture_of<TY>(y), picture_pad(border, x.shape)};
    launch_pixels<kVectorOf<TX, TY>>("pad_forward", stream, op, y.shape, all_aligned(op.x.data, op.y.data));
  });
}

void backward(CudaStream stream, ConstTensorView dy, TensorView dx, bool accumulate, const Pad& border) {
  visit_dtypes(dy.dtype, dx.dtype, [&](auto a, auto b) {
    using TY = decltype(a);
    using TX = decltype(b);
    const Backward<TY, TX> op{picture_of<TY>(dy), picture_of<TX>(dx), picture_pad(border, dx.shape),
                              accumulate};
    launch_pixels<kVectorOf<TX, TY>>("pad_backward", stream, op, dx.shape,
                                     all_aligned(op.dy.data, op.dx.data));
  });
}

void fill_in_place(CudaStream stream, TensorView y, const Pad& border) {
  const Shape inner = inner_shape(y.shape, border);
  visit_dtype(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Fill<T> op{picture_of<T>(y), picture_pad(border, inner)};
    const std::int64_t pixels = y.shape.pixels() - inner.pixels();
    launch_pixels<kVectorOf<T>>("pad_fill", stream, op, {y.shape.n, 1, pixels, y.shape.c},
                                is_aligned(y.data));
  });
}

void fold_in_place(CudaStream stream, TensorView dy, const Pad& border) {
  const Shape inner = inner_shape(dy.shape, border);
  visit_dtype(dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Fold<T> op{picture_of<T>(dy), picture_pad(border, inner)};
    launch_pixels<kVectorOf<T>>("pad_fold", stream, op, inner, is_aligned(dy.data));
  });
}

void crop_forward(CudaStream stream, ConstTensorView x, TensorView y, std::int64_t row0, std::int64_t col0) {
  visit_dtypes(x.dtype, y.dtype, [&](auto a, auto b) {
    using TX = decltype(a);
    using TY = decltype(b);
    const Crop<TX, TY> op{picture_of<TX>(x), picture_of<TY>(y), int(row0), int(col0)};
    launch_pixels<kVectorOf<TX, TY>>("pad_crop", stream, op, y.shape, all_aligned(op.x.data, op.y.data));
  });
}

void crop_backward(CudaStream stream, ConstTensorView dy, TensorView dx, bool accumulate, std::int64_t row0,
                   std::int64_t col0) {
  visit_dtypes(dy.dtype, dx.dtype, [&](auto a, auto b) {
    using TY = decltype(a);
    using TX = decltype(b);
    const CropBackward<TY, TX> op{.dy = picture_of<TY>(dy),
                                  .dx = picture_of<TX>(dx),
                                  .row0 = int(row0),
                                  .col0 = int(col0),
                                  .row_shift = accumulate ? int(row0) : 0,
                                  .col_shift = accumulate ? int(col0) : 0,
                                  .accumulate = accumulate};
    launch_pixels<kVectorOf<TX, TY>>("pad_crop_backward", stream, op, accumulate ? dy.shape : dx.shape,
                                     all_aligned(op.dy.data, op.dx.data));
  });
}

}  // namespace chiaro::pad::cuda
