#include "benchmarks/kernel_cases/workbench.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "engine/rng.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/cuda/event_timer.hpp"
#include "kernels/gemm/gemm.hpp"

namespace chiaro::bench {

namespace {

constexpr std::int64_t kRandomCount = 1 << 20;
constexpr std::int64_t kBlockerBytes = std::int64_t{1} << 30;  // to fill takes longer than to queue the calls
constexpr int kCallsPerRound = 10, kRounds = 3;

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

}  // namespace

Workbench::Workbench(Context& context) : context_(context) {
  const Rng rng(1);
  for (std::int64_t i = 0; i < kRandomCount; ++i)
    random_.push_back(2 * rng.uniform(static_cast<std::uint64_t>(i)) - 1);
  if (context.device() == Device::Cuda)
    blocker_ = Buffer(kBlockerBytes, "kernel_bench's long piece of work", MemoryKind::Device);
}

void* Workbench::block(std::int64_t bytes) {
  const bool on_gpu = context_.device() == Device::Cuda;
  return buffers_.emplace_back(bytes, "a benchmark's array", on_gpu ? MemoryKind::Device : MemoryKind::Host)
      .data();
}

TensorView Workbench::tensor(const Shape& shape, DType dtype) {
  const TensorView view{block(shape.count() * size_of(dtype)), dtype, shape};
  visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    std::vector<T> values;
    for (const float value : random_) values.push_back(T(value));
    for (std::int64_t done = 0; done < shape.count(); done += kRandomCount) {
      const std::int64_t count = std::min(kRandomCount, shape.count() - done);
      copy_async(context_, view.as<T>() + done, values.data(), count * size_of(dtype));
    }
    synchronize(context_);
  });
  return view;
}

float* Workbench::floats(std::int64_t count) {
  return tensor({1, 1, 1, count}, DType::F32).as<float>();
}

double Workbench::median_seconds(const std::function<void()>& run) {
  return context_.device() == Device::Cuda ? median_seconds_cuda(run) : median_seconds_cpu(run);
}

double Workbench::median_seconds_cpu(const std::function<void()>& run) {
  constexpr double kEnough = 0.2;
  constexpr std::size_t kFewest = 5, kMost = 200;
  run();
  std::vector<double> seconds;
  double total = 0;
  while (seconds.size() < kFewest || (total < kEnough && seconds.size() < kMost)) {
    const auto start = std::chrono::steady_clock::now();
    run();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    total += seconds.back();
  }
  return median(seconds);
}

double Workbench::median_seconds_cuda(const std::function<void()>& run) {
  std::vector<double> seconds;
  if constexpr (kHaveCuda) {
    cuda::EventTimer timer(context_);
    run();
    synchronize(context_);
    for (int round = 0; round < kRounds; ++round) {
      fill_async(context_, blocker_.data(), 0, blocker_.bytes());
      run();
      timer.mark();
      for (int i = 0; i < kCallsPerRound; ++i) {
        run();
        timer.mark();
      }
      const auto round_seconds = timer.seconds();
      seconds.insert(seconds.end(), round_seconds.begin(), round_seconds.end());
    }
  }
  return median(seconds);
}

double copy_bytes_per_second(Workbench& bench) {
  const bool on_gpu = bench.context().device() == Device::Cuda;
  const std::int64_t bytes = std::int64_t{1} << (on_gpu ? 30 : 28);
  auto* from = static_cast<std::byte*>(bench.block(bytes));
  auto* to = static_cast<std::byte*>(bench.block(bytes));
  fill_async(bench.context(), from, 1, bytes);
  fill_async(bench.context(), to, 2, bytes);
  const auto copy = [&] {
    if (on_gpu) return copy_async(bench.context(), to, from, bytes);
    const std::int64_t part = bytes / bench.context().threads() / 64 * 64;  // what is left over: < 64 KiB
    parallel_for(bench.context().threads(), [&](std::int64_t i) {
      std::memcpy(to + i * part, from + i * part, static_cast<std::size_t>(part));
    });
  };
  const double seconds = bench.median_seconds(copy);
  bench.clear();
  return 2 * static_cast<double>(bytes) / seconds;
}

double matrix_flop_per_second(Workbench& bench, DType dtype) {
  const bool on_gpu = bench.context().device() == Device::Cuda;
  const std::int64_t n = on_gpu ? 8192 : kHaveOneDnn ? 2048 : 512;  // plain loops are slow
  const TensorView a = bench.tensor({1, n, n, 1}, dtype), b = bench.tensor({1, n, n, 1}, dtype),
                   c = bench.tensor({1, n, n, 1}, dtype);
  const gemm::Args args{
      .m = n, .n = n, .k = n, .a = {a.data, dtype, n}, .b = {b.data, dtype, n}, .c = {c.data, dtype, n}};
  const double seconds = bench.median_seconds([&] { gemm::run(bench.context(), args); });
  bench.clear();
  return 2 * static_cast<double>(n * n * n) / seconds;
}

}  // namespace chiaro::bench
