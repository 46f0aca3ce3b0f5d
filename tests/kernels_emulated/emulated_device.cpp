// The emulator's GPU as the device of tests/kernels/every_device.hpp.
#include "tests/kernels/every_device.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::testing {

namespace {

const bool kEmulated = [] {
  device_under_test() = {
      .device = Device::Cuda,
      .compare_orders = [](const std::function<Bytes()>& run) { return simt::compare_schedules(run); },
      .check_barriers = [](const std::function<Bytes()>& run,
                           int unneeded) { emulated::check_barriers_are_needed(run, unneeded); },
      .launches_of = [](const std::function<void()>& run) { return emulated::launches_of(run); },
      .watch = [](const void* memory, std::size_t bytes,
                  std::size_t element) { simt::race_watch(memory, bytes, element); },
      .forget = [](const void* memory) { simt::race_forget(memory); }};
  return true;
}();

}  // namespace

}  // namespace chiaro::testing
