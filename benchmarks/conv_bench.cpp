// Times of the convolutions of the transform, depth and VGG networks, batch 4: median of several runs,
// GFLOP/s on useful operations (padding of channels by an implementation does not count).
//   conv_bench [NAME-PART] [THREADS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "kernels/conv2d/conv2d.hpp"

namespace {

using namespace chiaro;

struct Case {
  const char* name;
  int64_t size, c, k, r, stride, pad;  // input rows and columns, channels, filter rows and columns
};
constexpr Case kCases[] = {
    {"9x9 3->32", 264, 3, 32, 9, 1, 0},         {"3x3s2 32->64", 256, 32, 64, 3, 2, 0},
    {"3x3s2 64->128", 128, 64, 128, 3, 2, 0},   {"3x3 128->128", 64, 128, 128, 3, 1, 0},
    {"2x2 128->256", 66, 128, 256, 2, 1, 0},    {"2x2 64->128", 130, 64, 128, 2, 1, 0},
    {"9x9 32->3", 264, 32, 3, 9, 1, 0},         {"vgg 3->64", 256, 3, 64, 3, 1, 1},
    {"vgg 64->64", 256, 64, 64, 3, 1, 1},       {"vgg 64->128", 128, 64, 128, 3, 1, 1},
    {"vgg 128->128", 128, 128, 128, 3, 1, 1},   {"vgg 128->256", 64, 128, 256, 3, 1, 1},
    {"vgg 256->256", 64, 256, 256, 3, 1, 1},    {"vgg 256->512", 32, 256, 512, 3, 1, 1},
    {"vgg 512->512 32", 32, 512, 512, 3, 1, 1}, {"vgg 512->512 16", 16, 512, 512, 3, 1, 1},
};
constexpr int64_t kBatch = 4;

class Bytes {  // 64-byte aligned
 public:
  explicit Bytes(int64_t count)
      : storage_(static_cast<std::size_t>(count) + 64, std::byte{0x3c}) {
  }  // small positive fp32 and bf16 numbers
  void* get() {
    void* p = storage_.data();
    std::size_t space = storage_.size();
    return std::align(64, 1, p, space);
  }

 private:
  std::vector<std::byte> storage_;
};

template <class F>
double median_ms(F&& f) {
  f();
  std::vector<double> times;
  double total = 0;
  while (times.size() < 5 || (total < 100 && times.size() < 50)) {
    const auto start = std::chrono::steady_clock::now();
    f();
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    total += times.back();
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

void run(Context& context, const Case& c, DType dtype) {
  conv2d::Problem problem;
  problem.x = {kBatch, c.size, c.size, c.c};
  problem.k = c.k;
  problem.r = problem.s = c.r;
  problem.stride = c.stride;
  problem.pad = {c.pad, c.pad, c.pad, c.pad};
  problem.dtype = problem.y_dtype = dtype;
  problem.bias = true;
  const auto plan = conv2d::Plan::make(context, problem);
  using conv2d::Pass;
  int64_t workspace_bytes = 0;
  for (const Pass pass : {Pass::Forward, Pass::BackwardData, Pass::BackwardWeights})
    workspace_bytes = std::max(workspace_bytes, plan->workspace_bytes(pass));
  Bytes x(problem.x.count() * size_of(dtype)), y(problem.y().count() * size_of(dtype));
  Bytes w(problem.weight_count() * 4), b(problem.k * 4), workspace(workspace_bytes);
  Bytes packed_forward(plan->packed_bytes(Pass::Forward)),
      packed_data(plan->packed_bytes(Pass::BackwardData));
  const TensorView x_view{x.get(), dtype, problem.x}, y_view{y.get(), dtype, problem.y()};
  auto* weights = static_cast<float*>(w.get());
  auto* bias = static_cast<float*>(b.get());

  const double pack = median_ms([&] {
    plan->pack(context, Pass::Forward, weights, packed_forward.get());
    plan->pack(context, Pass::BackwardData, weights, packed_data.get());
  });
  const double times[3] = {
      median_ms([&] { plan->forward(context, x_view, packed_forward.get(), bias, y_view, workspace.get()); }),
      median_ms([&] {
        plan->backward_data(context, y_view, packed_data.get(), x_view, GradientMode::Overwrite,
                            workspace.get());
      }),
      median_ms([&] {
        plan->backward_weights(context, x_view, y_view, weights, bias, GradientMode::Overwrite,
                               workspace.get());
      })};
  const double gflop = 2e-9 * static_cast<double>(problem.y().count() * c.r * c.r * c.c);
  fmt::print("| {} | {} | {} |", c.name, name_of(dtype), plan->implementation());
  for (const double ms : times) fmt::print(" {:.2f} | {:.0f} |", ms, gflop / ms * 1e3);
  fmt::print(" {:.2f} | {:.1f} |\n", pack, static_cast<double>(workspace_bytes) / (1 << 20));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string part = argc > 1 ? argv[1] : "";
    Context context(argc > 2 ? std::atoi(argv[2]) : 0);
    fmt::print(
        "{}\n\n| case | dtype | implementation | forward ms | GFLOP/s | data ms | GFLOP/s | weights ms | "
        "GFLOP/s | both packs ms | workspace MiB |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
        context.description());
    for (const DType dtype : {DType::F32, DType::BF16})
      for (const Case& c : kCases)
        if (std::string(c.name).find(part) != std::string::npos) run(context, c, dtype);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "conv_bench: {}\n", error.what());
    return 1;
  }
}
