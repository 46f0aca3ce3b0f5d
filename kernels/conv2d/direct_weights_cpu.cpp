// The weight gradient by vector loops of our own, in fp32: any shape on any instruction set.
//
// A task is one filter row and a block of output channels. It goes through all rows of dy; for each filter
// column and a few input channels the sums over a row stay in registers, and are then added to the task's
// part of dw.
//
// Workspace: one part of dw per task; where K is no multiple of a block, a row of dy per thread.
// Deterministic: sums over rows, then over the rows in order, whatever the number of threads.
#include <omp.h>

#include <algorithm>
#include <utility>

#include "kernels/base/blocks.hpp"
#include "kernels/conv2d/direct_vector.hpp"
#include "kernels/conv2d/direct_weights.hpp"

namespace chiaro::conv2d {

namespace {

using namespace direct;

constexpr int kChannels = kPixels;  // input channels whose sums are in registers together

class DirectWeights final : public PassPlan {
 public:
  explicit DirectWeights(const PassProblem& pass)
      : p_(pass.problem), y_(p_.y()), threads_(pass.threads == Threads::One ? 1 : omp_get_max_threads()) {}

  std::string name() const override { return "direct"; }
  std::string details() const override { return fmt::format("{} x {} channels", kChannels, kBlock); }
  int64_t workspace_bytes() const override {
    return workspace_part(tasks() * task_floats() * 4) + threads_ * workspace_part(copied_floats() * 4);
  }

  void run(const PassArgs& a) override {
    auto* parts = static_cast<float*>(a.workspace);
    auto* copies = static_cast<std::byte*>(a.workspace) + workspace_part(tasks() * task_floats() * 4);
    parallel_for(tasks(), [&](int64_t task) {
      auto* copy =
          reinterpret_cast<float*>(copies + omp_get_thread_num() * workspace_part(copied_floats() * 4));
      run_task(a, task / blocks(), task % blocks() * kBlock, parts + task * task_floats(), copy);
    });
  }

 private:
  int64_t blocks() const { return divide_up(p_.k, kBlock); }
  int64_t tasks() const { return p_.r * blocks(); }
  int64_t task_floats() const { return p_.s * p_.x.c * kBlock; }
  bool copies_rows() const { return p_.k % kBlock != 0; }
  int64_t copied_floats() const { return copies_rows() ? y_.w * kBlock : 0; }

  void run_task(const PassArgs& a, int64_t r, int64_t first, float* part, float* copy) const {
    const auto* x = static_cast<const float*>(a.x);
    const auto* dy = static_cast<const float*>(a.dy);
    const int64_t channels = std::min(kBlock, p_.k - first);
    float bias[kBlock] = {};
    std::fill_n(part, task_floats(), 0.f);
    for (int64_t row = 0; row < y_.n * y_.h; ++row) {
      const float* g = dy + row * y_.w * p_.k + first;
      if (r == 0 && a.db) add_row(bias, g, channels);
      const int64_t n = row / y_.h, h = row % y_.h * p_.stride + r - p_.pad.top;
      if (h < 0 || h >= p_.x.h) continue;
      int64_t stride = p_.k;
      if (copies_rows()) {
        for (int64_t q = 0; q < y_.w; ++q) {
          std::copy_n(g + q * p_.k, channels, copy + q * kBlock);
          std::fill_n(copy + q * kBlock + channels, kBlock - channels, 0.f);
        }
        g = copy;
        stride = kBlock;
      }
      add_filter_row(part, x + (n * p_.x.h + h) * p_.x.w * p_.x.c, g, stride);
    }
    write(a, r, first, channels, part);
    for (int64_t k = 0; r == 0 && a.db && k < channels; ++k)
      a.db[first + k] = a.accumulate ? a.db[first + k] + bias[k] : bias[k];
  }

  void add_row(float* bias, const float* g, int64_t channels) const {
    float sums[kBlock] = {};
    for (int64_t q = 0; q < y_.w; ++q)
      for (int64_t k = 0; k < channels; ++k) sums[k] += g[q * p_.k + k];
    for (int64_t k = 0; k < channels; ++k) bias[k] += sums[k];
  }

  // part (S, C, kBlock) += sums over a row; x: a row of the input, g: one of dy.
  void add_filter_row(float* part, const float* x, const float* g, int64_t g_stride) const {
    const int64_t C = p_.x.c;
    for (int64_t s = 0; s < p_.s; ++s) {
      const int64_t offset = s - p_.pad.left;
      const int64_t begin = offset < 0 ? divide_up(-offset, p_.stride) : 0;
      const int64_t end = offset < p_.x.w ? std::min(y_.w, (p_.x.w - 1 - offset) / p_.stride + 1) : 0;
      if (begin >= end) continue;
      const float* from = x + (begin * p_.stride + offset) * C;
      const auto add = [&]<int N>(std::integral_constant<int, N>, int64_t c) {
        add_channels<N>(part + (s * C + c) * kBlock, from + c, g + begin * g_stride, g_stride, end - begin);
      };
      int64_t c = 0;
      for (; c + kChannels <= C; c += kChannels) add(std::integral_constant<int, kChannels>{}, c);
      for (; c + 3 <= C; c += 3) add(std::integral_constant<int, 3>{}, c);
      for (; c < C; ++c) add(std::integral_constant<int, 1>{}, c);
    }
  }

  template <int N>
  void add_channels(float* part, const float* x, const float* g, int64_t g_stride, int64_t pixels) const {
    Vector sums[N][2] = {};
    multiply_run<N>(sums, x, 1, g, pixels, p_.stride * p_.x.c, g_stride);
    for (int i = 0; i < N; ++i)
      for (int half = 0; half < 2; ++half) {
        float* to = part + i * kBlock + half * kLanes;
        store(to, load(to) + sums[i][half]);
      }
  }

  void write(const PassArgs& a, int64_t r, int64_t first, int64_t channels, const float* part) const {
    for (int64_t k = 0; k < channels; ++k) {
      float* to = a.dw + ((first + k) * p_.r + r) * p_.s * p_.x.c;  // (S, C)
      for (int64_t i = 0; i < p_.s * p_.x.c; ++i)
        to[i] = a.accumulate ? to[i] + part[i * kBlock + k] : part[i * kBlock + k];
    }
  }

  const Problem p_;
  const Shape y_;
  const int threads_;
};

}  // namespace

std::unique_ptr<PassPlan> make_direct_weights(const PassProblem& pass) {
  return std::make_unique<DirectWeights>(pass);
}

}  // namespace chiaro::conv2d
