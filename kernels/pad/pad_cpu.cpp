#include "kernels/base/parallel.hpp"
#include "kernels/base/rows.hpp"
#include "kernels/pad/pad.hpp"

namespace chiaro::pad::cpu {

namespace {

// Calls f(i) for every padded coordinate i whose source is x: first the ones before the picture.
template <class F>
void for_each_image_of(std::int64_t x, std::int64_t before, std::int64_t after, std::int64_t extent,
                       PadMode mode, F&& f) {
  if (mode == PadMode::Replicate) {
    const std::int64_t first = x == 0 ? 0 : x + before;
    const std::int64_t last = x == extent - 1 ? before + extent + after - 1 : x + before;
    for (std::int64_t i = first; i <= last; ++i) f(i);
    return;
  }
  if (x >= 1 && x <= before) f(before - x);
  f(before + x);
  const std::int64_t mirrored = 2 * (extent - 1) - x;
  if (mirrored >= extent && mirrored < extent + after) f(before + mirrored);
}

// The coordinates of one axis that border pixels refer to lie outside [begin, end).
struct Untouched {
  std::int64_t begin, end;
  Untouched(std::int64_t before, std::int64_t after, std::int64_t extent, PadMode mode) {
    const auto touched = [&](std::int64_t width) {
      return width == 0 ? 0 : std::min(extent, mode == PadMode::Reflect ? width + 1 : 1);
    };
    begin = touched(before);
    end = std::max(begin, extent - touched(after));
  }
  bool contains(std::int64_t x) const { return x >= begin && x < end; }
};

// target (+)= the sum of dy over all padded pixels whose source is (h, w). dy: one padded picture. target may
// be the pixel (h, w) inside dy.
template <class TY, class TX>
void gather_pixel(const TY* dy, const Shape& inner, const Pad& b, std::int64_t h, std::int64_t w, TX* target,
                  bool accumulate) {
  constexpr std::int64_t kChunk = 64;
  const std::int64_t c = inner.c, outer_w = b.left + inner.w + b.right;
  for (std::int64_t c0 = 0; c0 < c; c0 += kChunk) {
    const std::int64_t count = std::min(kChunk, c - c0);
    float sum[kChunk] = {};
    if (accumulate) add_run(target + c0, sum, count);
    for_each_image_of(h, b.top, b.bottom, inner.h, b.mode, [&](std::int64_t i) {
      for_each_image_of(w, b.left, b.right, inner.w, b.mode,
                        [&](std::int64_t j) { add_run(dy + (i * outer_w + j) * c + c0, sum, count); });
    });
    copy_run(sum, target + c0, count);
  }
}

// Fills the border pixels left and right of one row whose middle is there.
template <class T>
void fill_row_ends(T* row, const Shape& inner, const Pad& b) {
  const std::int64_t c = inner.c;
  const auto fill = [&](std::int64_t j) {
    copy_run(row + (b.left + pad_source(j, b.left, inner.w, b.mode)) * c, row + j * c, c);
  };
  for (std::int64_t j = 0; j < b.left; ++j) fill(j);
  for (std::int64_t j = b.left + inner.w; j < b.left + inner.w + b.right; ++j) fill(j);
}

Shape inner_of(const Shape& outer, const Pad& b) {
  return {outer.n, outer.h - b.top - b.bottom, outer.w - b.left - b.right, outer.c};
}

template <class TX, class TY>
void forward_typed(const TX* x, TY* y, const Shape& inner, const Pad& b) {
  const Shape outer = b.outer(inner);
  const std::int64_t c = inner.c;
  parallel_for(outer.n * outer.h, [&](std::int64_t task) {
    const std::int64_t n = task / outer.h, h = pad_source(task % outer.h, b.top, inner.h, b.mode);
    TY* row = y + task * outer.w * c;
    copy_run(x + (n * inner.h + h) * inner.w * c, row + b.left * c, inner.w * c);
    fill_row_ends(row, inner, b);
  });
}

template <class TY, class TX>
void backward_typed(const TY* dy, TX* dx, bool accumulate, const Shape& inner, const Pad& b) {
  const Shape outer = b.outer(inner);
  const std::int64_t c = inner.c;
  const Untouched rows(b.top, b.bottom, inner.h, b.mode), columns(b.left, b.right, inner.w, b.mode);
  parallel_for(inner.n * inner.h, [&](std::int64_t task) {
    const std::int64_t n = task / inner.h, h = task % inner.h;
    const TY* picture = dy + n * outer.pixels() * c;
    TX* row = dx + task * inner.w * c;
    const auto gather = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t w = begin; w < end; ++w)
        gather_pixel(picture, inner, b, h, w, row + w * c, accumulate);
    };
    if (!rows.contains(h)) return gather(0, inner.w);
    gather(0, columns.begin);
    const TY* middle = picture + ((h + b.top) * outer.w + b.left + columns.begin) * c;
    const std::int64_t count = (columns.end - columns.begin) * c;
    if (accumulate) {
      add_run(middle, row + columns.begin * c, count);
    } else {
      copy_run(middle, row + columns.begin * c, count);
    }
    gather(columns.end, inner.w);
  });
}

template <class T>
void fill_typed(T* y, const Shape& outer, const Pad& b) {
  const Shape inner = inner_of(outer, b);
  const std::int64_t row_size = outer.w * outer.c;
  if (b.left + b.right > 0) {
    parallel_for(inner.n * inner.h, [&](std::int64_t task) {
      const std::int64_t n = task / inner.h, h = task % inner.h;
      fill_row_ends(y + (n * outer.h + b.top + h) * row_size, inner, b);
    });
  }
  const std::int64_t pad_rows = b.top + b.bottom;
  if (pad_rows == 0) return;
  parallel_for(outer.n * pad_rows, [&](std::int64_t task) {
    const std::int64_t n = task / pad_rows, k = task % pad_rows;
    const std::int64_t i = k < b.top ? k : k + inner.h;
    const std::int64_t source = b.top + pad_source(i, b.top, inner.h, b.mode);
    copy_run(y + (n * outer.h + source) * row_size, y + (n * outer.h + i) * row_size, row_size);
  });
}

// Every interior pixel reads itself and border pixels, and writes only itself: safe in parallel, in place.
template <class T>
void fold_typed(T* dy, const Shape& outer, const Pad& b) {
  const Shape inner = inner_of(outer, b);
  const std::int64_t c = inner.c;
  const Untouched rows(b.top, b.bottom, inner.h, b.mode), columns(b.left, b.right, inner.w, b.mode);
  parallel_for(inner.n * inner.h, [&](std::int64_t task) {
    const std::int64_t n = task / inner.h, h = task % inner.h;
    T* picture = dy + n * outer.pixels() * c;
    T* row = picture + ((h + b.top) * outer.w + b.left) * c;
    const auto gather = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t w = begin; w < end; ++w) gather_pixel(picture, inner, b, h, w, row + w * c, false);
    };
    if (!rows.contains(h)) return gather(0, inner.w);
    gather(0, columns.begin);
    gather(columns.end, inner.w);
  });
}

template <class TX, class TY>
void crop_forward_typed(const TX* x, TY* y, const Shape& from, const Shape& to, std::int64_t row0,
                        std::int64_t col0) {
  parallel_for(to.n * to.h, [&](std::int64_t task) {
    const std::int64_t n = task / to.h, i = task % to.h;
    copy_run(x + ((n * from.h + i + row0) * from.w + col0) * from.c, y + task * to.w * to.c, to.w * to.c);
  });
}

template <class TY, class TX>
void crop_backward_typed(const TY* dy, TX* dx, bool accumulate, const Shape& part, const Shape& whole,
                         std::int64_t row0, std::int64_t col0) {
  const std::int64_t c = whole.c;
  parallel_for(whole.n * whole.h, [&](std::int64_t task) {
    const std::int64_t n = task / whole.h, i = task % whole.h - row0;
    TX* row = dx + task * whole.w * c;
    const bool inside = i >= 0 && i < part.h;
    if (!inside && !accumulate) zero_run(row, whole.w * c);
    if (!inside) return;
    const TY* source = dy + (n * part.h + i) * part.w * c;
    if (accumulate) return add_run(source, row + col0 * c, part.w * c);
    zero_run(row, col0 * c);
    copy_run(source, row + col0 * c, part.w * c);
    zero_run(row + (col0 + part.w) * c, (whole.w - col0 - part.w) * c);
  });
}

// Calls f with the typed pointers of two tensors.
template <class F>
void visit(const ConstTensorView& a, const TensorView& b, F&& f) {
  visit_dtype(a.dtype, [&](auto zero_a) {
    visit_dtype(b.dtype, [&](auto zero_b) { f(a.as<decltype(zero_a)>(), b.as<decltype(zero_b)>()); });
  });
}

}  // namespace

void forward(ConstTensorView x, TensorView y, const Pad& border) {
  visit(x, y, [&](auto* from, auto* to) { forward_typed(from, to, x.shape, border); });
}

void backward(ConstTensorView dy, TensorView dx, bool accumulate, const Pad& border) {
  visit(dy, dx, [&](auto* from, auto* to) { backward_typed(from, to, accumulate, dx.shape, border); });
}

void fill_in_place(TensorView y, const Pad& border) {
  visit_dtype(y.dtype, [&](auto zero) { fill_typed(y.as<decltype(zero)>(), y.shape, border); });
}

void fold_in_place(TensorView dy, const Pad& border) {
  visit_dtype(dy.dtype, [&](auto zero) { fold_typed(dy.as<decltype(zero)>(), dy.shape, border); });
}

void crop_forward(ConstTensorView x, TensorView y, std::int64_t row0, std::int64_t col0) {
  visit(x, y, [&](auto* from, auto* to) { crop_forward_typed(from, to, x.shape, y.shape, row0, col0); });
}

void crop_backward(ConstTensorView dy, TensorView dx, bool accumulate, std::int64_t row0, std::int64_t col0) {
  visit(dy, dx, [&](auto* from, auto* to) {
    crop_backward_typed(from, to, accumulate, dy.shape, dx.shape, row0, col0);
  });
}

}  // namespace chiaro::pad::cpu
