// The text opcodes of protocol 0.
#include <cstdint>

#include "weights_import/files/pickle_machine.hpp"

namespace chiaro {
namespace {

// The number in `digits` hexadecimal digits from `at` on; -1 when there are none.
std::int64_t hexadecimal(std::string_view text, std::size_t at, std::size_t digits) {
  if (text.size() < at + digits) return -1;
  std::int64_t value = 0;
  for (const char c : text.substr(at, digits)) {
    const char lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') {
      value = value * 16 + (c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + (lower - 'a' + 10);
    } else {
      return -1;
    }
  }
  return value;
}

void append_utf8(std::string& text, std::int64_t code) {
  const auto put = [&](std::int64_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xe0 | code >> 12);
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 63));
    }
    put(0x80 | (code >> 6 & 63));
  }
  put(0x80 | (code & 63));
}

}  // namespace

bool unescape_string(std::string_view line, std::string& bytes) {
  if (line.size() < 2 || (line[0] != '\'' && line[0] != '"') || line.back() != line[0]) return false;
  line = line.substr(1, line.size() - 2);
  constexpr std::string_view kLetters = "\\'\"nrt", kMeanings = "\\'\"\n\r\t";
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      bytes += line[i];
      continue;
    }
    if (++i == line.size()) return false;
    if (const auto letter = kLetters.find(line[i]); letter != kLetters.npos) {
      bytes += kMeanings[letter];
      continue;
    }
    const std::int64_t value = line[i] == 'x' ? hexadecimal(line, i + 1, 2) : -1;
    if (value < 0) return false;
    bytes += static_cast<char>(value);
    i += 2;
  }
  return true;
}

bool unescape_unicode(std::string_view line, std::string& utf8) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool escape = line[i] == '\\' && i + 1 < line.size() && (line[i + 1] == 'u' || line[i + 1] == 'U');
    if (!escape) {
      append_utf8(utf8, static_cast<unsigned char>(line[i]));
      continue;
    }
    const std::size_t digits = line[i + 1] == 'u' ? 4 : 8;
    const std::int64_t code = hexadecimal(line, i + 2, digits);
    if (code < 0 || code > 0x10ffff) return false;
    append_utf8(utf8, code);
    i += 1 + digits;
  }
  return true;
}

}  // namespace chiaro
