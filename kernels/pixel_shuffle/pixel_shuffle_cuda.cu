#include "kernels/pixel_shuffle/pixel_shuffle_cuda.hpp"

#include "kernels/cuda/elementwise.cuh"

namespace chiaro::pixel_shuffle::cuda {

namespace {

// One phase: a tensor, and where its window begins.
template <class T>
struct Phase {
  Picture<T> picture;
  int row0, col0, channel0;

  __device__ T* at(int n, int i, int j, int c) const {
    return picture.at(n, i + row0, j + col0, channel0 + c);
  }
};

template <class T, class View>
Phase<T> phase_of(const Window<View>& w) {
  return {picture_of<std::remove_const_t<T>>(w.t), int(w.row0), int(w.col0), int(w.channel0)};
}

// Vectors may be used when windows begin and pixels follow each other at multiples of them.
template <class T, class View>
bool vectors_fit(const std::array<Window<View>, 4>& windows) {
  bool fit = true;
  for (const auto& w : windows)
    fit &= is_aligned(w.t.data) && w.t.shape.c % kVectorOf<T> == 0 && w.channel0 % kVectorOf<T> == 0;
  return fit;
}

// Both run over the pixels of the windows and take the four phases of each.
template <class T>
struct Forward {
  Phase<const T> sources[4];
  Picture<const T> add;  // data may be null
  Picture<T> y;
  bool relu;

  template <int V>
  __device__ void run(int n, int i, int j, int c) const {
    CHIARO_UNROLL
    for (int ab = 0; ab < 4; ++ab) {
      const int h = 2 * i + ab / 2, w = 2 * j + ab % 2;
      float v[V];
      load<V>(sources[ab].at(n, i, j, c), v);
      if (add.data) {
        float more[V];
        load<V>(add.at(n, h, w, c), more);
        CHIARO_UNROLL
        for (int k = 0; k < V; ++k) v[k] += more[k];
      }
      CHIARO_UNROLL
      for (int k = 0; k < V; ++k) v[k] = relu && v[k] < 0 ? 0.0f : v[k];  // keeps NaN
      store<V>(y.at(n, h, w, c), v);
    }
  }
};

// The gradient on its way from y to the phases: masked by the ReLU, and handed to what was added.
template <class T>
struct Incoming {
  Picture<const T> dy;
  const T* y;  // null: no ReLU
  T* dadd;     // may be null
  bool accumulate;

  template <int V>
  __device__ void take(int n, int h, int w, int c, float (&v)[V]) const {
    const std::int64_t at = dy.at(n, h, w, c) - dy.data;
    load<V>(dy.data + at, v);
    if (y) {
      float out[V];
      load<V>(y + at, out);
      CHIARO_UNROLL
      for (int k = 0; k < V; ++k) v[k] = out[k] > 0 ? v[k] : 0.0f;
    }
    if (dadd) {
      float same[V];
      CHIARO_UNROLL
      for (int k = 0; k < V; ++k) same[k] = v[k];
      store_gradient<V>(dadd + at, same, accumulate);
    }
  }
};

template <class T>
struct Backward {
  Incoming<T> incoming;
  Phase<T> targets[4];

  template <int V>
  __device__ void run(int n, int i, int j, int c) const {
    CHIARO_UNROLL
    for (int ab = 0; ab < 4; ++ab) {
      float v[V];
      incoming.template take<V>(n, 2 * i + ab / 2, 2 * j + ab % 2, c, v);
      store<V>(targets[ab].at(n, i, j, c), v);
    }
  }
};

// Runs over all of one target tensor: the window that an element lies in, or zero.
template <class T>
struct BackwardRest {
  Incoming<T> incoming;
  Phase<T> targets[4];
  Picture<T> target;

  template <int V>
  __device__ void run(int n, int row, int column, int channel) const {
    float v[V] = {};
    CHIARO_UNROLL
    for (int ab = 0; ab < 4; ++ab) {
      const Phase<T>& phase = targets[ab];
      const int i = row - phase.row0, j = column - phase.col0, c = channel - phase.channel0;
      const Picture<const T>& dy = incoming.dy;
      const bool inside = phase.picture.data == target.data && i >= 0 && 2 * i < dy.h && j >= 0 &&
                          2 * j < dy.w && c >= 0 && c < dy.c;
      if (inside) incoming.template take<V>(n, 2 * i + ab / 2, 2 * j + ab % 2, c, v);
    }
    store<V>(target.at(n, row, column, channel), v);
  }
};

}  // namespace

void forward(CudaStream stream, const ForwardArgs& args) {
  visit_dtype(args.y.dtype, [&](auto zero) {
    using T = decltype(zero);
    Forward<T> op{.sources = {}, .add = {}, .y = picture_of<T>(args.y), .relu = args.relu};
    for (int k = 0; k < 4; ++k) op.sources[k] = phase_of<const T>(args.sources[k]);
    if (args.add) op.add = picture_of<T>(args.add);
    const Shape& s = args.y.shape;
    launch_pixels<kVectorOf<T>>("pixel_shuffle_forward", stream, op, {s.n, s.h / 2, s.w / 2, s.c},
                                all_aligned(op.y.data, op.add.data) && vectors_fit<T>(args.sources));
  });
}

void backward(CudaStream stream, const BackwardArgs& args) {
  visit_dtype(args.dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Shape& s = args.dy.shape;
    // Vectors must divide the channels of dy too, so that none crosses the end of a window.
    const bool vectors = all_aligned(args.dy.data, args.y.data, args.dadd.data) && s.c % kVectorOf<T> == 0 &&
                         vectors_fit<T>(args.targets);
    const bool hands_on = args.dadd_mode != GradientMode::Ignore;
    Backward<T> op{.incoming = {.dy = picture_of<T>(args.dy),
                                .y = args.y ? args.y.as<T>() : nullptr,
                                .dadd = hands_on ? args.dadd.as<T>() : nullptr,
                                .accumulate = args.dadd_mode == GradientMode::Accumulate},
                   .targets = {}};
    for (int k = 0; k < 4; ++k) op.targets[k] = phase_of<T>(args.targets[k]);
    if (!args.zero_rest) {
      launch_pixels<kVectorOf<T>>("pixel_shuffle_backward", stream, op, {s.n, s.h / 2, s.w / 2, s.c},
                                  vectors);
      return;
    }
    for (int k = 0; k < 4; ++k) {
      bool seen = false;
      for (int earlier = 0; earlier < k; ++earlier)
        seen |= args.targets[earlier].t.data == args.targets[k].t.data;
      if (seen) continue;
      BackwardRest<T> rest{.incoming = op.incoming, .targets = {}, .target = op.targets[k].picture};
      for (int i = 0; i < 4; ++i) rest.targets[i] = op.targets[i];
      launch_pixels<kVectorOf<T>>("pixel_shuffle_backward_rest", stream, rest, args.targets[k].t.shape,
                                  vectors);
    }
  });
}

}  // namespace chiaro::pixel_shuffle::cuda
