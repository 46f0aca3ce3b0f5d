// Dense NHWC arrays that somebody else owns: pointer, element type and shape.
#pragma once
#include <cstdint>
#include <string>
#include <type_traits>

#include "kernels/base/bf16.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

enum class DType { F32, BF16 };

constexpr std::int64_t size_of(DType dtype) {
  return dtype == DType::F32 ? 4 : 2;
}
constexpr const char* name_of(DType dtype) {
  return dtype == DType::F32 ? "fp32" : "bf16";
}

template <class T>
inline constexpr DType dtype_of = std::is_same_v<std::remove_const_t<T>, float> ? DType::F32 : DType::BF16;

// Calls f with a value of the element type:
//   visit_dtype(dtype, [&](auto zero) { using T = decltype(zero); ... })
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  return dtype == DType::F32 ? f(float{}) : f(bf16{});
}

// Extents of an activation: n pictures of h rows, w columns and c channels, channels innermost.
struct Shape {
  std::int64_t n = 0, h = 0, w = 0, c = 0;

  constexpr std::int64_t pixels() const { return h * w; }
  constexpr std::int64_t count() const { return n * h * w * c; }
  constexpr bool operator==(const Shape&) const = default;
};
inline std::string to_string(const Shape& s) {
  return fmt::format("({},{},{},{})", s.n, s.h, s.w, s.c);
}

// A view that may be written. data is null for an optional argument that is absent.
struct TensorView {
  void* data = nullptr;
  DType dtype = DType::F32;
  Shape shape;

  explicit operator bool() const { return data != nullptr; }
  std::int64_t bytes() const { return shape.count() * size_of(dtype); }
  template <class T>
  T* as() const {
    require(dtype == dtype_of<T>, "tensor of {} read as {}", name_of(dtype), name_of(dtype_of<T>));
    return static_cast<T*>(data);
  }
};

struct ConstTensorView {
  const void* data = nullptr;
  DType dtype = DType::F32;
  Shape shape;

  ConstTensorView() = default;
  ConstTensorView(const void* data_, DType dtype_, Shape shape_)
      : data(data_), dtype(dtype_), shape(shape_) {}
  ConstTensorView(const TensorView& v) : data(v.data), dtype(v.dtype), shape(v.shape) {}

  explicit operator bool() const { return data != nullptr; }
  std::int64_t bytes() const { return shape.count() * size_of(dtype); }
  template <class T>
  const T* as() const {
    require(dtype == dtype_of<T>, "tensor of {} read as {}", name_of(dtype), name_of(dtype_of<T>));
    return static_cast<const T*>(data);
  }
};

// What a backward pass does with a gradient that it computes.
enum class GradientMode {
  Ignore,      // not wanted: not computed
  Overwrite,   // first writer: the old contents are garbage
  Accumulate,  // later writers: added to the old contents
};

// Extra rows and columns around a picture, in pixels, and what fills them.
enum class PadMode {
  Reflect,    // mirror without repeating the edge pixel: x[-1] = x[1]; needs border < extent
  Replicate,  // repeat the edge pixel: x[-1] = x[0]
};
struct Pad {
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
  PadMode mode = PadMode::Reflect;

  static constexpr Pad uniform(std::int64_t width, PadMode mode = PadMode::Reflect) {
    return {width, width, width, width, mode};
  }
  constexpr bool empty() const { return top == 0 && bottom == 0 && left == 0 && right == 0; }
  constexpr Shape outer(Shape s) const { return {s.n, s.h + top + bottom, s.w + left + right, s.c}; }
  constexpr bool operator==(const Pad&) const = default;
};
// Source index of padded coordinate i (0 = first border pixel) on an axis of the given extent.
constexpr std::int64_t pad_source(std::int64_t i, std::int64_t before, std::int64_t extent, PadMode mode) {
  const std::int64_t x = i - before;
  if (mode == PadMode::Replicate) return x < 0 ? 0 : x >= extent ? extent - 1 : x;
  return x < 0 ? -x : x >= extent ? 2 * extent - 2 - x : x;
}

}  // namespace chiaro
