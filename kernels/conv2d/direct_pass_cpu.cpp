// Convolution by vector loops of our own, in fp32: forward and data gradient of any shape on any instruction
// set.
//
// A task is one row of the output. For a block of output channels and a few neighboring pixels the sums stay
// in registers while all taps of the filter go by: each tap is a multiply-add of a broadcast input with a
// vector of weights. The taps of one filter row that meet a pixel lie side by side in the input, so they are
// one run.
//
// Both passes are one loop. A data gradient with stride t reads dy, and its columns fall into t classes, of
// which each meets every t-th filter column; there the taps run backwards, so the weights are packed that
// way.
//
// Working weights: (K blocks, R, S in the order of the classes, C, kBlock), zero beyond K; exchange K and C
// for the data gradient.
// Deterministic: every sum has the order of the formula.
#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/base/blocks.hpp"
#include "kernels/conv2d/direct_vector.hpp"
#include "kernels/conv2d/direct_weights.hpp"
#include "kernels/conv2d/elementwise.hpp"

namespace chiaro::conv2d {

namespace {

using namespace direct;

// Output columns first, first + step, ...; the j-th of them meets the input columns base + j * in_step + (0
// .. taps-1) through the filter columns `filter_columns`, in that order.
struct ColumnClass {
  int64_t first = 0, count = 0, base = 0;
  std::vector<int64_t> filter_columns;
  int64_t packed_column = 0;  // of the first of them

  int64_t taps() const { return static_cast<int64_t>(filter_columns.size()); }
};

class DirectPass final : public PassPlan {
 public:
  explicit DirectPass(const PassProblem& pass)
      : p_(pass.problem),
        forward_(pass.pass == Pass::Forward),
        in_(forward_ ? p_.x : p_.y()),
        out_(forward_ ? p_.y() : p_.x),
        in_step_(forward_ ? p_.stride : 1),
        out_step_(forward_ ? 1 : p_.stride) {
    int64_t packed_column = 0;
    for (int64_t first = 0; first < std::min(out_step_, out_.w); ++first) {
      ColumnClass c = forward_ ? forward_class() : data_class(first);
      c.packed_column = packed_column;
      packed_column += c.taps();
      classes_.push_back(std::move(c));
    }
    packed_columns_ = packed_column;
  }

  std::string name() const override { return "direct"; }
  std::string details() const override { return fmt::format("{} pixels x {} channels", kPixels, kBlock); }
  std::string packed_key() const override {
    return fmt::format("direct {} {} stride {} left {}", forward_ ? "forward" : "data", kBlock, p_.stride,
                       forward_ ? 0 : p_.pad.left % p_.stride);
  }
  int64_t packed_bytes() const override {
    return workspace_part(divide_up(out_.c, kBlock) * p_.r * packed_columns_ * in_.c * kBlock * 4);
  }
  void pack(const float* w, void* packed) override {
    auto* to = static_cast<float*>(packed);
    for (int64_t block = 0; block < divide_up(out_.c, kBlock); ++block)
      for (int64_t r = 0; r < p_.r; ++r)
        for (const ColumnClass& c : classes_)
          for (const int64_t s : c.filter_columns)
            for (int64_t i = 0; i < in_.c; ++i)
              for (int64_t lane = 0; lane < kBlock; ++lane, ++to)
                *to = weight(w, block * kBlock + lane, r, s, i);
  }
  int64_t workspace_bytes() const override { return 0; }

  void run(const PassArgs& a) override {
    const auto* in = static_cast<const float*>(forward_ ? a.x : a.dy);
    auto* out = static_cast<float*>(forward_ ? a.y : a.dx);
    const Finish finish{.bias = a.bias,
                        .add = forward_ ? p_.accumulate : a.accumulate,
                        .floor = forward_ && p_.relu ? 0.f : -std::numeric_limits<float>::infinity()};
    parallel_for(out_.n * out_.h, [&](int64_t row) {
      for (int64_t first = 0; first < out_.c; first += kBlock)
        for (const ColumnClass& c : classes_)
          run_columns(in + row / out_.h * in_.h * in_.w * in_.c, static_cast<const float*>(a.packed), finish,
                      out + row * out_.w * out_.c, row % out_.h, first, c);
    });
  }

 private:
  // What happens to a sum on its way out.
  struct Finish {
    const float* bias;
    bool add;
    float floor;
  };

  ColumnClass forward_class() const {
    ColumnClass c{.count = out_.w, .base = -p_.pad.left};
    for (int64_t s = 0; s < p_.s; ++s) c.filter_columns.push_back(s);
    return c;
  }
  // Columns v = first + stride * j of dx: dy's column (v + left - s) / stride where that is whole.
  ColumnClass data_class(int64_t first) const {
    ColumnClass c{.first = first, .count = divide_up(out_.w - first, p_.stride)};
    for (int64_t s = p_.s - 1; s >= 0; --s)
      if ((first + p_.pad.left - s) % p_.stride == 0) {
        if (c.filter_columns.empty()) c.base = (first + p_.pad.left - s) / p_.stride;
        c.filter_columns.push_back(s);
      }
    return c;
  }

  float weight(const float* w, int64_t out_channel, int64_t r, int64_t s, int64_t in_channel) const {
    if (out_channel >= out_.c) return 0;
    const int64_t k = forward_ ? out_channel : in_channel, c = forward_ ? in_channel : out_channel;
    return w[((k * p_.r + r) * p_.s + s) * p_.x.c + c];
  }

  // The input row that filter row r reads for an output row; negative or beyond the last: none.
  int64_t input_row(int64_t row, int64_t r) const {
    if (forward_) return row * p_.stride + r - p_.pad.top;
    const int64_t from = row + p_.pad.top - r;
    return from >= 0 && from % p_.stride == 0 ? from / p_.stride : -1;
  }

  void run_columns(const float* in, const float* packed, const Finish& finish, float* out, int64_t row,
                   int64_t first_channel, const ColumnClass& c) const {
    // Pixels j in [inner, outer) have all their taps inside.
    const int64_t inner = std::clamp<int64_t>(divide_up(std::max<int64_t>(-c.base, 0), in_step_), 0, c.count);
    const int64_t room = in_.w - c.base - c.taps();
    const int64_t outer = std::clamp<int64_t>(room < 0 ? 0 : room / in_step_ + 1, inner, c.count);
    const auto block = [&]<int N>(std::integral_constant<int, N>, int64_t j) {
      run_pixels<N>(in, packed, finish, out, row, first_channel, c, j);
    };
    int64_t j = 0;
    for (; j < inner; ++j) block(std::integral_constant<int, 1>{}, j);
    for (; j + kPixels <= outer; j += kPixels) block(std::integral_constant<int, kPixels>{}, j);
    for (; j < c.count; ++j) block(std::integral_constant<int, 1>{}, j);
  }

  // N pixels from the j-th of the class on. For N > 1 all their taps lie inside.
  template <int N>
  void run_pixels(const float* in, const float* packed, const Finish& finish, float* out, int64_t row,
                  int64_t first_channel, const ColumnClass& c, int64_t j) const {
    Vector sums[N][2] = {};
    const int64_t column = c.base + j * in_step_;
    int64_t begin = 0, end = c.taps();
    if (N == 1) {
      begin = std::clamp<int64_t>(-column, 0, end);
      end = std::clamp<int64_t>(in_.w - column, begin, end);
    }
    const float* block = packed + first_channel / kBlock * p_.r * packed_columns_ * in_.c * kBlock;
    for (int64_t r = 0; r < p_.r; ++r) {
      const int64_t from = input_row(row, r);
      if (from < 0 || from >= in_.h) continue;
      multiply_run<N>(sums, in + (from * in_.w + column + begin) * in_.c, in_step_ * in_.c,
                      block + (r * packed_columns_ + c.packed_column + begin) * in_.c * kBlock,
                      (end - begin) * in_.c);
    }
    const int64_t channels = std::min(kBlock, out_.c - first_channel);
    for (int i = 0; i < N; ++i) {
      float values[kBlock];
      store(values, sums[i][0]);
      store(values + kLanes, sums[i][1]);
      float* to = out + (c.first + (j + i) * out_step_) * out_.c + first_channel;
      for (int64_t k = 0; k < channels; ++k) {
        const float value =
            values[k] + (finish.bias ? finish.bias[first_channel + k] : 0.f) + (finish.add ? to[k] : 0.f);
        to[k] = std::max(value, finish.floor);
      }
    }
  }

  const Problem p_;
  const bool forward_;
  const Shape in_, out_;
  const int64_t in_step_, out_step_;  // columns from one pixel of a class to the next
  std::vector<ColumnClass> classes_;
  int64_t packed_columns_ = 0;  // of all classes
};

}  // namespace

std::unique_ptr<PassPlan> make_direct_pass(Context&, const PassProblem& pass, std::string& refusal) {
  if (pass.problem.dtype != DType::F32) {
    refusal = "for fp32 only";
    return nullptr;
  }
  if (pass.pass == Pass::BackwardWeights) return make_direct_weights(pass);
  return std::make_unique<DirectPass>(pass);
}

}  // namespace chiaro::conv2d
