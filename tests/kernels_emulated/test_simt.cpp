// The emulator finds what it claims to find: every kernel here with a mistake must be caught, and correct
// ones must pass. Plain builds see wrong bits, race builds name the line, sanitizer builds the access.
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/cuda/reduce.cuh"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

namespace {

#ifdef __SANITIZE_THREAD__
constexpr bool kRaceBuild = true;
#else
constexpr bool kRaceBuild = false;
#endif

// --- correct kernels

template <int V, class T>
__global__ void saxpy_kernel(float a, const T* x, T* y, int units) {
  const int u = blockIdx.x * blockDim.x + threadIdx.x;
  if (u >= units) return;
  float vx[V], vy[V];
  load<V>(x + u * V, vx);
  load<V>(y + u * V, vy);
  for (int k = 0; k < V; ++k) vy[k] += a * vx[k];
  store<V>(y + u * V, vy);
}

template <class T>
__global__ void sum_kernel(const float* x, int count, T* sums) {
  T sum = 0;
  for (int i = blockIdx.x * 256 + threadIdx.x; i < count; i += 256 * gridDim.x) sum += x[i];
  sum = block_sum<256>(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void warp_kernel(int* out) {
  const int l = threadIdx.x;
  out[l] = __shfl_sync(~0u, l, 5, 8);
  out[32 + l] = __shfl_xor_sync(~0u, l, 3);
  out[64 + l] = __shfl_down_sync(~0u, l, 2, 16);
  out[96 + l] = static_cast<int>(__ballot_sync(~0u, l & 1));
  out[128 + l] = l < 16 ? __shfl_xor_sync(0xffffu, l, 1) : -1;
}

__global__ void histogram_kernel(int* bins) {
  atomicAdd(&bins[threadIdx.x % 4], 1);
}

// Declares arrays after others were written.
__global__ void late_arrays_kernel(float* out) {
  const int t = threadIdx.x;
  CHIARO_SHARED(float, a, [64]);
  a[t] = float(t);
  CHIARO_SHARED(float, b, [64]);
  CHIARO_SHARED(float, c, [64]);
  CHIARO_SHARED(float, d, [64]);
  CHIARO_SHARED(float, e, [64]);
  b[t] = c[t] = d[t] = e[t] = 1;
  __syncthreads();
  out[t] = a[63 - t] + b[63 - t] + c[63 - t] + d[63 - t] + e[63 - t];
}

// --- kernels with a mistake; kWrong = false is the correct twin where one is worth having

template <bool kWrong>
__global__ void missing_barrier_kernel(float* out) {
  CHIARO_SHARED(float, s, [64]);
  s[threadIdx.x] = float(threadIdx.x);
  if (!kWrong) __syncthreads();
  out[threadIdx.x] = s[63 - threadIdx.x];
}

// Only a warp that runs ahead shows this: its second sum overwrites partial sums that others still read.
template <bool kWrong>
__device__ float careless_sum(float value) {
  CHIARO_SHARED(float, partial, [32]);
  value = warp_sum(value);
  if (!kWrong) __syncthreads();
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  return warp_sum(threadIdx.x % 32 < blockDim.x / 32 ? partial[threadIdx.x % 32] : 0.0f);
}
template <bool kWrong>
__global__ void reused_buffer_kernel(const float* x, float* out) {
  const float a = careless_sum<kWrong>(x[threadIdx.x]);
  out[threadIdx.x] = careless_sum<kWrong>(a * x[threadIdx.x]);
}

template <bool kWrong>
__global__ void missing_syncwarp_kernel(float* out) {
  CHIARO_SHARED(float, s, [32]);
  s[threadIdx.x] = float(threadIdx.x);
  if (!kWrong) __syncwarp();
  out[threadIdx.x] = s[threadIdx.x ^ 1];
}

__global__ void blocks_overwrite_kernel(float* out) {
  out[0] = float(blockIdx.x);
}
__global__ void float_atomics_kernel(const float* x, float* sum) {
  atomicAdd(sum, x[blockIdx.x * blockDim.x + threadIdx.x]);
}
__global__ void uninitialized_kernel(float* out) {
  CHIARO_SHARED_DYNAMIC(float, s);
  out[threadIdx.x] = s[threadIdx.x];
}
__global__ void divergent_barrier_kernel(float* out) {
  if (threadIdx.x < 16) {
    out[threadIdx.x] = 1;
    __syncthreads();
  } else {
    out[threadIdx.x] = 2;
    __syncthreads();
  }
}
__global__ void early_return_kernel(float* out) {
  if (threadIdx.x >= 40) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}
__global__ void missing_lanes_kernel(float* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_xor_sync(~0u, 1.0f, 1);
}
__global__ void barrier_against_shuffle_kernel(float* out) {
  if (threadIdx.x < 16)
    __syncthreads();
  else
    out[threadIdx.x] = __shfl_xor_sync(~0u, 1.0f, 1);
}
__global__ void foreign_lane_kernel(float* out) {
  out[threadIdx.x] = __shfl_xor_sync(0xffu, 1.0f, 1);
}
__global__ void foreign_source_kernel(float* out) {
  if (threadIdx.x < 8) out[threadIdx.x] = __shfl_sync(0xffu, 1.0f, 12);
}

template <class F>
std::string simt_error(F&& f) {
  try {
    f();
  } catch (const simt::Error& error) {
    return error.what();
  }
  return "";
}

// A mistake of order: the race detector names the kind and a line of this file; without it bits differ.
template <class Run>
void check_found(const char* race, Run&& run) {
  if (kRaceBuild) {
    const std::string text = simt_error(run);
    INFO(text);
    CHECK(text.find(std::string(race) + " at test_simt.cpp:") != std::string::npos);
  } else {
    CHECK(simt::compare_schedules([&]() -> std::vector<unsigned char> { return run(); }).find("differ") !=
          std::string::npos);
  }
}

// One array of results from one launch of `kernel` with it as the only argument.
template <class Kernel>
auto writes(Kernel kernel, dim3 grid, int threads, int results, std::size_t shared_bytes = 0) {
  return [=] {
    DeviceArray<float> out(std::vector<float>(results, 0.0f));
    launch("test", kernel, grid, dim3(threads), shared_bytes, nullptr, out.data());
    return Bits() << out;
  };
}

}  // namespace

TEST_CASE("simt: saxpy in vectors and element by element") {
  const auto x = normal_values<float>(1024, 1), y = normal_values<float>(1024, 2);
  const auto run = [&](auto kernel, int units) {
    DeviceArray<float> dx(x), dy(y);
    launch("saxpy", kernel, dim3((units + 127) / 128), dim3(128), 0, nullptr, 2.0f, dx.data(), dy.data(),
           units);
    for (int i = 0; i < 1024; ++i) CHECK(dy.host()[i] == doctest::Approx(y[i] + 2 * x[i]));
    return Bits() << dy;
  };
  check_every_schedule([&] { return run(saxpy_kernel<4, float>, 256); });
  check_every_schedule([&] { return run(saxpy_kernel<1, float>, 1024); });
}

TEST_CASE("simt: bf16 vectors of 4, 8 and 1 elements round as the type does") {
  std::vector<bf16> x(64), y(64, bf16(0.0f));
  for (int i = 0; i < 64; ++i) x[i] = bf16(0.37f * float(i - 20));
  const auto check = [&](auto kernel, int v) {
    DeviceArray<bf16> dx(x), dy(y);
    launch("saxpy", kernel, dim3(1), dim3(64), 0, nullptr, 1.1f, dx.data(), dy.data(), 64 / v);
    const auto found = dy.host();
    for (int i = 0; i < 64; ++i) CHECK(found[i].bits == bf16(1.1f * float(x[i])).bits);
  };
  check(saxpy_kernel<8, bf16>, 8);
  check(saxpy_kernel<4, bf16>, 4);
  check(saxpy_kernel<1, bf16>, 1);
}

TEST_CASE("simt: sums over blocks") {
  const auto x = normal_values<float>(5000, 1);
  double exact = 0;
  for (const float v : x) exact += v;
  check_every_schedule([&] {
    DeviceArray<float> dx(x);
    DeviceArray<double> sums(3);
    launch("sum", sum_kernel<double>, dim3(3), dim3(256), 0, nullptr, dx.data(), 5000, sums.data());
    const auto s = sums.host();
    CHECK(s[0] + s[1] + s[2] == doctest::Approx(exact).epsilon(1e-12));
    return Bits() << sums;
  });
}

TEST_CASE("simt: warp collectives and integer atomics") {
  check_every_schedule([] {
    DeviceArray<int> out(160), bins(std::vector<int>(4, 0));
    launch("warp", warp_kernel, dim3(1), dim3(32), 0, nullptr, out.data());
    launch("histogram", histogram_kernel, dim3(8), dim3(64), 0, nullptr, bins.data());
    const auto o = out.host();
    for (int l = 0; l < 32; ++l) {
      CHECK(o[l] == (l & ~7) + 5);
      CHECK(o[32 + l] == (l ^ 3));
      CHECK(o[64 + l] == ((l & 15) < 14 ? l + 2 : l));
      CHECK(static_cast<unsigned>(o[96 + l]) == 0xAAAAAAAAu);
      CHECK(o[128 + l] == (l < 16 ? l ^ 1 : -1));
    }
    CHECK(bins.host() == std::vector<int>(4, 128));
    return Bits() << out << bins;
  });
}

TEST_CASE("simt: a kernel may declare several shared arrays") {
  check_every_schedule(writes(late_arrays_kernel, dim3(1), 64, 64));
}

TEST_CASE("simt: mistakes of order are found, their correct twins pass") {
  check_every_schedule(writes(missing_barrier_kernel<false>, dim3(1), 64, 64));
  check_found("race", writes(missing_barrier_kernel<true>, dim3(1), 64, 64));
  check_every_schedule(writes(missing_syncwarp_kernel<false>, dim3(1), 32, 32));
  check_found("race", writes(missing_syncwarp_kernel<true>, dim3(1), 32, 32));
  check_found("write-write race", writes(blocks_overwrite_kernel, dim3(2), 1, 1));

  const auto sums = [](auto kernel) {
    return [=] {
      DeviceArray<float> x(normal_values<float>(256, 1)), out(256);
      launch("test", kernel, dim3(1), dim3(256), 0, nullptr, x.data(), out.data());
      return Bits() << out;
    };
  };
  check_every_schedule(sums(reused_buffer_kernel<false>));
  check_found("race", sums(reused_buffer_kernel<true>));
}

TEST_CASE("simt: float atomics depend on the order") {
  if (kRaceBuild) return;
  const std::string difference = simt::compare_schedules([]() -> std::vector<unsigned char> {
    DeviceArray<float> x(normal_values<float>(1024, 1)), sum(std::vector<float>(1, 0.0f));
    launch("atomics", float_atomics_kernel, dim3(4), dim3(256), 0, nullptr, x.data(), sum.data());
    return Bits() << sum;
  });
  CHECK(difference != "");
}

TEST_CASE("simt: uninitialized shared memory is NaN, and reported by the race detector") {
  DeviceArray<float> out(32);
  const std::string text =
      simt_error([&] { launch("test", uninitialized_kernel, dim3(1), dim3(32), 128, nullptr, out.data()); });
  CHECK(std::isnan(out.host()[5]));
  if (kRaceBuild)
    CHECK(text.find("read of uninitialized shared memory at test_simt.cpp:") != std::string::npos);
}

TEST_CASE("simt: barriers and collectives that cannot complete are errors under every schedule") {
  const simt::Schedule before = simt::current_schedule();
  for (const simt::Schedule& schedule : simt::all_schedules()) {
    simt::current_schedule() = schedule;
    const auto error = [](auto kernel, int threads) {
      return simt_error(writes(kernel, dim3(1), threads, 64));
    };
    const auto has = [](const std::string& text, const char* part) {
      return text.find(part) != std::string::npos;
    };
    CHECK(has(error(divergent_barrier_kernel, 64), "divergent barrier"));
    CHECK(has(error(early_return_kernel, 64), "after part of the block has returned"));
    CHECK(has(error(missing_lanes_kernel, 32), "never arrive"));
    CHECK(has(error(barrier_against_shuffle_kernel, 32), "never arrive"));
    CHECK(has(error(foreign_lane_kernel, 32), "not in its mask"));
    CHECK(has(error(foreign_source_kernel, 32), "outside the mask"));
  }
  simt::current_schedule() = before;
  check_every_schedule(writes(missing_barrier_kernel<false>, dim3(1), 64, 64));  // works on after errors
}

TEST_CASE("simt: launches that no GPU takes are refused, and names are kept") {
  const auto refused = [](dim3 grid, int threads, std::size_t shared_bytes) {
    return simt_error(writes(blocks_overwrite_kernel, grid, threads, 1, shared_bytes)) != "";
  };
  CHECK(refused(dim3(1), 2048, 0));
  CHECK(refused(dim3(1), 32, 300 << 10));
  CHECK(refused(dim3(1, 70000), 32, 0));
  CHECK(refused(dim3(0), 32, 0));
  CHECK(launches_of(writes(blocks_overwrite_kernel, dim3(1), 1, 1)) == std::vector<std::string>{"test"});
}

#ifdef __SANITIZE_ADDRESS__
namespace {

__global__ void overrun_dynamic_kernel(float* out) {
  CHIARO_SHARED_DYNAMIC(float, s);
  s[threadIdx.x + 1] = out[0];
}
__global__ void overrun_static_kernel(float*) {
  CHIARO_SHARED(float, s, [32]);
  float* p = s;
  p[threadIdx.x + 1] = 1;
}
__global__ void overrun_global_kernel(float* out) {
  out[threadIdx.x + 1] = 1;
}
__global__ void underrun_global_kernel(float* out) {
  out[int(threadIdx.x) - 1] = 1;
}
__global__ void misaligned_kernel(float* out) {
  float v[4];
  load<4>(out + 1, v);
  out[0] = v[0];
}

// What f printed on stderr in a process of its own, in which it died; "" when it did not.
template <class F>
std::string crash_report(F&& f) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    f();
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char chunk[4096];
  for (ssize_t n; (n = read(ends[0], chunk, sizeof chunk)) > 0;)
    text.append(chunk, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "" : text;
}

}  // namespace

TEST_CASE("simt: the sanitizers find accesses out of bounds and misaligned ones") {
  const auto found = [](auto kernel, const char* text, std::size_t shared_bytes = 0) {
    return crash_report(writes(kernel, dim3(1), 32, 32, shared_bytes)).find(text) != std::string::npos;
  };
  CHECK(found(overrun_dynamic_kernel, "heap-buffer-overflow", 128));
  CHECK(found(overrun_static_kernel, "heap-buffer-overflow"));
  CHECK(found(overrun_global_kernel, "heap-buffer-overflow"));
  CHECK(found(underrun_global_kernel, "heap-buffer-overflow"));
  CHECK(found(misaligned_kernel, "misaligned address"));
}
#endif

}  // namespace chiaro::emulated
