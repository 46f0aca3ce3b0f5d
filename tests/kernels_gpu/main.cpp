// Exit status 77, which CTest lists as skipped, where no GPU can be used.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "apps/common/environment.hpp"
#include "tests/kernels/every_device.hpp"

int main(int argc, char** argv) {
  if (const auto status = chiaro::device_available(chiaro::Device::Cuda); !status.available) {
    fmt::print("skipped: {}\n", status.reason);
    return 77;
  }
  fmt::print("{}\n", chiaro::Context(chiaro::Device::Cuda, 1).description());
  chiaro::read_settings();
  chiaro::testing::device_under_test().device = chiaro::Device::Cuda;
  return doctest::Context(argc, argv).run();
}
