#include "weights_import/files/pickle_input.hpp"

#include <algorithm>

#include "kernels/base/error.hpp"

namespace chiaro {

constexpr std::int64_t kWindow = 65536;

PickleInput::PickleInput(const InputFile& file, std::int64_t offset)
    : name_(file.name()), file_(&file), buffer_(kWindow), start_(offset) {
  file.check_range(offset, 0, "a pickle");
}

PickleInput::PickleInput(const std::string& name, std::span<const std::byte> memory)
    : name_(name), window_(memory) {}

void PickleInput::need(std::int64_t count) const {
  if (count >= 0 && count <= std::ssize(window_) - next_) return;
  if (file_) {
    file_->check_range(position(), count, "a pickle");
  } else {
    throw Error(
        "{}: the pickle ends after {} bytes, but would need {} bytes from byte {} on: the file is damaged",
        name_, window_.size(), count, position());
  }
}

void PickleInput::fill() {
  start_ += next_;
  next_ = 0;
  window_ = std::span(buffer_).first(static_cast<std::size_t>(std::min(kWindow, file_->bytes() - start_)));
  file_->read(start_, std::span(buffer_).first(window_.size()), "a pickle");
}

std::uint8_t PickleInput::byte() {
  need(1);
  if (next_ == std::ssize(window_)) fill();
  return static_cast<std::uint8_t>(window_[static_cast<std::size_t>(next_++)]);
}

std::uint64_t PickleInput::little(int bytes) {
  need(bytes);
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= static_cast<std::uint64_t>(byte()) << (8 * i);
  return value;
}

void PickleInput::append_to(std::string& text, std::int64_t count) {
  need(count);
  while (count > 0) {
    if (next_ == std::ssize(window_)) fill();
    const std::int64_t piece = std::min(count, std::ssize(window_) - next_);
    text.append(reinterpret_cast<const char*>(window_.data()) + next_, static_cast<std::size_t>(piece));
    next_ += piece;
    count -= piece;
  }
}

void PickleInput::skip(std::int64_t count) {
  need(count);
  if (count <= std::ssize(window_) - next_) {
    next_ += count;
    return;
  }
  start_ += next_ + count;  // only a file can have more than its window
  next_ = 0;
  window_ = {};
}

std::string PickleInput::line() {
  std::string text;
  for (;;) {
    const char c = static_cast<char>(byte());
    if (c == '\n') return text;
    text += c;
    if (std::ssize(text) > kLongestLine) {
      throw Error("{}: the pickle has a line of more than {} bytes before byte {}: refused", name_,
                  kLongestLine, position());
    }
  }
}

}  // namespace chiaro
