#include "weights_import/files/mat_text.hpp"

namespace chiaro {
namespace {

void append(std::string& text, std::uint32_t point) {
  if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) point = 0xfffd;
  const auto add = [&](std::uint32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  const auto tail = [&](int shift) { add(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xc0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    add(0xe0 | (point >> 12));
    tail(6);
    tail(0);
  } else {
    add(0xf0 | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

std::string mat_utf8(std::span<const std::uint32_t> units) {
  std::string text;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const bool pair = units[i] >= 0xd800 && units[i] < 0xdc00 && i + 1 < units.size() &&
                      units[i + 1] >= 0xdc00 && units[i + 1] < 0xe000;
    if (pair) {
      append(text, 0x10000 + ((units[i] - 0xd800) << 10) + (units[i + 1] - 0xdc00));
      ++i;
    } else {
      append(text, units[i]);
    }
  }
  return text;
}

}  // namespace chiaro
