// Where and how ops run. One Context per program; every op takes it first.
//
// Threads: a Context is used by one thread at a time. CPU ops run on `threads` OpenMP threads, oneDNN
//   included; CUDA ops go into one stream, in order, and return before they have run.
// Deterministic: same inputs, shapes, device and thread count give the same bits.
// Copies of a Context share its device.
#pragma once
#include <memory>
#include <string>
#include <vector>

namespace chiaro {

namespace cuda {
class DeviceContext;
}

enum class Device { Cpu, Cuda };
constexpr const char* name_of(Device device) {
  return device == Device::Cpu ? "cpu" : "cuda";
}

// Whether this build on this machine can compute on a device. Never throws, also without a driver.
struct DeviceStatus {
  bool available = false;
  std::string reason;  // why not, a phrase such as "no NVIDIA driver is installed"; "" when available
};
DeviceStatus device_available(Device device);

// Multiply-adds of the plans that were made, and those that fell to plain reference loops.
struct DispatchTally {
  double work = 0, on_reference = 0;
  std::vector<std::string> reference_problems;  // the first few, in words

  void add(const std::string& problem, double multiply_adds, bool reference);
  // One line for the user when more than a per cent of the work falls to the reference loops, else "".
  std::string complaint() const;
};

class Context {
 public:
  // The CPU. 0 = all cores that this process may use. The number holds for the whole process from here on.
  explicit Context(int threads = 0);
  // Throws Error with device_available()'s reason.
  Context(Device device, int threads);
  // A CPU context with the number of threads that is in force: for shape inference on the side.
  static Context current();
  // A CUDA context for a GPU that is described but need not be there: plans, workspaces and refusals are
  // those of that GPU, nothing can run. `device_properties`: JSON as cuDNN takes it
  // (tests/kernels_cudnn/*.json).
  static Context planning(const std::string& device_properties);

  Device device() const { return device_; }
  int threads() const { return threads_; }
  bool has_fast_bf16() const;       // bf16 convolutions are faster than fp32 ones here
  std::string description() const;  // one line for logs: device, what it can do, threads, remark
  void set_remark(const std::string& remark) { remark_ = remark; }

  // CUDA: fp32 convolutions and matrix products may round their operands to TF32 (10 bits of mantissa). Plans
  // keep what was set when they were made. Off at first; no effect on the CPU.
  bool tf32() const { return tf32_; }
  void allow_tf32(bool allow) { tf32_ = allow; }

  // What plans on the CPU were made for, by implementation: who computes the work. Copies share it.
  DispatchTally& tally() { return *tally_; }
  const DispatchTally& tally() const { return *tally_; }

  // Stream and library handles; for CUDA implementations. Throws Error on the CPU.
  cuda::DeviceContext& cuda() const;

 private:
  Device device_ = Device::Cpu;
  int threads_;
  bool tf32_ = false;
  std::string remark_;
  std::shared_ptr<DispatchTally> tally_ = std::make_shared<DispatchTally>();
  std::shared_ptr<cuda::DeviceContext> cuda_;
};

// True when the comma-separated list in the environment variable CHIARO_LOG holds `topic`, e.g. "dispatch".
bool log_enabled(const char* topic);
// The implementation that CHIARO_IMPL forces for an op ("conv2d:reference,..."), or "".
std::string forced_implementation(const char* op);

}  // namespace chiaro
