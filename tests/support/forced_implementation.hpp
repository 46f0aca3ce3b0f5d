// Forces one entry of an op's implementation list.
#pragma once
#include <cstdlib>
#include <string>

namespace chiaro::test {

// The environment variable CHIARO_IMPL for the lifetime of the object; "" = no force.
class ForcedImplementation {
 public:
  explicit ForcedImplementation(const std::string& text) {
    if (!text.empty()) setenv("CHIARO_IMPL", text.c_str(), 1);
  }
  ForcedImplementation(const ForcedImplementation&) = delete;
  ForcedImplementation& operator=(const ForcedImplementation&) = delete;
  ~ForcedImplementation() { unsetenv("CHIARO_IMPL"); }
};

}  // namespace chiaro::test
