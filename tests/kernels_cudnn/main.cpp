// Exit status 77, which CTest lists as skipped, where cuDNN's library is not installed. No GPU and no driver
// is needed: see network_plans.hpp.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "kernels/base/error.hpp"
#include "kernels/cuda/cudnn_library.hpp"

int main(int argc, char** argv) {
  try {
    fmt::print("cuDNN {}\n", chiaro::cudnn::version_text());
  } catch (const chiaro::Error& error) {
    fmt::print("skipped: {}\n", error.what());
    return 77;
  }
  return doctest::Context(argc, argv).run();
}
