// Forces one entry of an op's implementation list.
#pragma once
#include <string>

#include "kernels/base/settings.hpp"

namespace chiaro::test {

// Settings::implementations for the lifetime of the object; "" = no force.
class ForcedImplementation {
 public:
  explicit ForcedImplementation(const std::string& text) { settings().implementations = text; }
  ForcedImplementation(const ForcedImplementation&) = delete;
  ForcedImplementation& operator=(const ForcedImplementation&) = delete;
  ~ForcedImplementation() { settings().implementations.clear(); }
};

}  // namespace chiaro::test
