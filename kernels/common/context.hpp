// Where and how ops run. One Context per program; every op takes it first.
//
// A Context is used by one thread at a time. CPU ops run on `threads` OpenMP threads, oneDNN included.
// Same inputs, shapes and thread count give the same bits.
#pragma once
#include <string>

namespace chiaro {

enum class Device { Cpu };

// What "auto" precision may choose from on this machine.
struct CpuFeatures {
  bool avx2 = false, avx512 = false, avx512_bf16 = false, amx_bf16 = false;
};
const CpuFeatures& cpu_features();

class Context {
 public:
  // 0 = all cores that this process may use. The number holds for the whole process from here on.
  explicit Context(int threads = 0);
  // A context with the number of threads that is in force: for shape inference on the side.
  static Context current();

  Device device() const { return Device::Cpu; }
  int threads() const { return threads_; }
  bool has_fast_bf16() const;      // bf16 convolutions are faster than fp32 ones here
  std::string description() const;  // one line for logs: device, instruction set, threads

 private:
  int threads_;
};

// True when the comma-separated list in the environment variable CHIARO_LOG holds `topic`, e.g. "dispatch".
bool log_enabled(const char* topic);
// The implementation that CHIARO_IMPL forces for an op ("conv2d:reference,..."), or "".
std::string forced_implementation(const char* op);

}  // namespace chiaro
