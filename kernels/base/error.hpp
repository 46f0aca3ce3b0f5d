// The one exception type of chiaro, and how it is thrown.
//
// A message names the place, the object, what was found, what was expected and, if known, the next step:
//   throw Error("vgg19.h5: dataset '{}' has shape {}, expected {}", name, found, expected);
// Programs catch Error in main, print the message as one line and exit with status 1.
#pragma once
#if defined(__CUDACC__) && !defined(FMT_USE_CONSTEXPR)
#define FMT_USE_CONSTEXPR 1  // fmt 9 takes nvcc for a compiler without constexpr
#endif
#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace chiaro {

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
  template <class First, class... Rest>
  Error(fmt::format_string<First, Rest...> format, First&& first, Rest&&... rest)
      : std::runtime_error(fmt::format(format, std::forward<First>(first), std::forward<Rest>(rest)...)) {}
};

// Throws Error when a condition does not hold. For the arguments of ops and layers, not for user input.
template <class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) throw Error(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace chiaro
