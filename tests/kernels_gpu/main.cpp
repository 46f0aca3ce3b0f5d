// Exit status 77, which CTest lists as skipped, where no GPU can be used.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "kernels/base/context.hpp"

int main(int argc, char** argv) {
  if (const auto status = chiaro::device_available(chiaro::Device::Cuda); !status.available) {
    fmt::print("skipped: {}\n", status.reason);
    return 77;
  }
  fmt::print("{}\n", chiaro::Context(chiaro::Device::Cuda, 1).description());
  return doctest::Context(argc, argv).run();
}
