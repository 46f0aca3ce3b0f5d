// The message of the Error that a call throws, "" when it throws none. Other exceptions pass through.
#pragma once
#include <string>

#include "kernels/base/error.hpp"

namespace chiaro::test {

template <class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace chiaro::test
