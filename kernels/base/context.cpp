#include "kernels/base/context.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <omp.h>

#include <string_view>

#include "kernels/base/build_config.hpp"
#include "kernels/base/cpu_features.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/settings.hpp"
#include "kernels/cuda/device.hpp"

namespace chiaro {

namespace {

// Value of `key` in a list "key,key:value,...": "" when absent, "1" when it has no value.
std::string list_value(std::string_view rest, std::string_view key) {
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const auto item = rest.substr(0, comma);
    rest = comma == rest.npos ? std::string_view{} : rest.substr(comma + 1);
    const auto colon = item.find(':');
    if (item.substr(0, colon) == key) return colon == item.npos ? "1" : std::string(item.substr(colon + 1));
  }
  return "";
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = [] {
    CpuFeatures f;
#if defined(__x86_64__)
    __builtin_cpu_init();
    f.avx2 = __builtin_cpu_supports("avx2");
    f.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    f.avx512_bf16 = f.avx512 && __builtin_cpu_supports("avx512bf16");
#endif
    if constexpr (kHaveOneDnn) limit_to_onednn(f);
    return f;
  }();
  return features;
}

void DispatchTally::add(const std::string& problem, double multiply_adds, bool reference) {
  constexpr std::size_t kNamed = 3;
  work += multiply_adds;
  if (!reference) return;
  on_reference += multiply_adds;
  if (reference_problems.size() < kNamed) reference_problems.push_back(problem);
}

std::string DispatchTally::complaint() const {
  if (on_reference <= 0.01 * work) return "";
  return fmt::format(
      "{:.0f} % of the convolution work runs on plain reference loops, which are slow ({}); "
      "CHIARO_LOG=dispatch says why",
      100 * on_reference / work, fmt::join(reference_problems, "; "));
}

Context::Context(int threads) : threads_(threads > 0 ? threads : omp_get_num_procs()) {
  require(threads >= 0, "--threads {}: expected 0 (all cores) or more", threads);
  omp_set_dynamic(0);
  omp_set_num_threads(threads_);
}

DeviceStatus device_available(Device device) {
  if (device == Device::Cpu) return {true, ""};
  std::string reason = "this build has no CUDA backend";
  if constexpr (kHaveCuda) reason = cuda::refusal_of_device();
  return {reason.empty(), reason};
}

Context::Context(Device device, int threads) : Context(threads) {
  const DeviceStatus status = device_available(device);
  require(status.available, "device {}: {}", name_of(device), status.reason);
  device_ = device;
  if constexpr (kHaveCuda)
    if (device == Device::Cuda) cuda_ = cuda::open_device();
}

Context Context::planning(const std::string& device_properties) {
  Context context = current();
  if constexpr (kHaveCuda) {
    context.device_ = Device::Cuda;
    context.cuda_ = cuda::describe_device(device_properties);
  } else {
    throw Error("no GPU can be planned for: this build has no CUDA backend");
  }
  return context;
}

cuda::DeviceContext& Context::cuda() const {
  require(cuda_ != nullptr, "a CUDA implementation was called with a context of the CPU");
  return *cuda_;
}

Context Context::current() {
  return Context(omp_get_max_threads());
}

bool Context::has_fast_bf16() const {
  if (device_ == Device::Cuda) return true;  // from compute capability 8.0 on, which is required
  return kHaveOneDnn && cpu_features().avx512_bf16;
}

std::string Context::description() const {
  if constexpr (kHaveCuda)
    if (device_ == Device::Cuda) return cuda::description(*cuda_);
  const auto& f = cpu_features();
  const char* isa = f.avx512_bf16 ? "AVX-512 with bf16" : f.avx512 ? "AVX-512" : f.avx2 ? "AVX2" : "baseline";
  return fmt::format("CPU, {}, {} thread{}, convolutions by {}{}{}", isa, threads_, threads_ == 1 ? "" : "s",
                     kHaveOneDnn ? "oneDNN" : "plain loops", remark_.empty() ? "" : "; ", remark_);
}

Settings& settings() {
  static Settings instance;
  return instance;
}

bool log_enabled(const char* topic) {
  return !list_value(settings().log, topic).empty();
}

std::string forced_implementation(const char* op) {
  return list_value(settings().implementations, op);
}

}  // namespace chiaro
