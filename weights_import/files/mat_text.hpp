// Characters of MATLAB files as UTF-8.
#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace chiaro {

// UTF-16 code units, or UTF-32 code points, to UTF-8. What is not valid becomes U+FFFD.
std::string mat_utf8(std::span<const std::uint32_t> units);

}  // namespace chiaro
