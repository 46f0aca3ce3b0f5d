// The real data of CHIARO_DATA, for tests that need it.
#pragma once
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace chiaro::test {

// The folder; without one the test says that it is skipped.
inline std::optional<std::filesystem::path> real_data() {
  if (const char* folder = std::getenv("CHIARO_DATA")) return folder;
  MESSAGE("skipped: CHIARO_DATA is not set");
  return std::nullopt;
}

}  // namespace chiaro::test
