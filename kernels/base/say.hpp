// Lines for people, and file names as text.
#pragma once
#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace chiaro {

// The bytes of a file name, or of any text from outside, as one line of UTF-8 that steers no terminal: control
// characters and bytes that are not UTF-8 become \xNN. A '\' before what looks like such a mark becomes \x5c, so that
// unescaped() gives the same bytes back. Other text stays as it is.
std::string escaped(std::string_view bytes);
std::string unescaped(std::string_view text);

// Writes to a stream and never throws: a program goes on when nobody listens any more.
void say_text(std::FILE* out, std::string_view text) noexcept;

// The same with a format. Arguments that are std::string are escaped().
template <class... Args>
void say(std::FILE* out, fmt::format_string<Args...> format, Args&&... args) noexcept {
  try {
    [[maybe_unused]] const auto shown = []<class T>(T&& value) -> decltype(auto) {
      if constexpr (std::is_same_v<std::remove_cvref_t<T>, std::string>)
        return escaped(value);
      else
        return std::forward<T>(value);
    };
    const auto print = [&](auto&&... values) {
      say_text(out, fmt::vformat(format, fmt::make_format_args(values...)));
    };
    print(shown(std::forward<Args>(args))...);
  } catch (...) {  // no memory for a line
  }
}

}  // namespace chiaro
