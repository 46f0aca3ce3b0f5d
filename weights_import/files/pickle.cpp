#include "weights_import/files/pickle.hpp"

#include <algorithm>
#include <cstdint>

#include "kernels/base/error.hpp"
#include "weights_import/files/pickle_machine.hpp"

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

// The text opcodes of protocol 0.

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

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 100;
  std::string result(text.substr(0, kLongest));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = '?';
  }
  return text.size() > kLongest ? result + "..." : result;
}

std::vector<PickleValue> Pickle::all(PickleKind kind) const {
  std::vector<PickleValue> found;
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].kind == kind) found.push_back({*this, i});
  }
  return found;
}

PickleKind PickleValue::kind() const {
  return pickle_->nodes_[index_].kind;
}

std::string PickleValue::describe() const {
  switch (kind()) {
    case PickleKind::None:
      return "None";
    case PickleKind::Bool:
      return "a bool";
    case PickleKind::Int:
      return "a whole number";
    case PickleKind::Float:
      return "a number";
    case PickleKind::String:
      return "text";
    case PickleKind::Bytes:
      return "bytes";
    case PickleKind::Tuple:
      return "a tuple";
    case PickleKind::List:
      return "a list";
    case PickleKind::Dict:
      return "a dictionary";
    case PickleKind::Global:
      return "the name " + printable(name());
    case PickleKind::Call:
      return "an object of " + printable(callable().name());
    case PickleKind::PersistentId:
      break;
  }
  return "a persistent id";
}

void PickleValue::wrong(std::string_view what, std::string_view expected) const {
  throw Error("{}: {} is {}, expected {}", pickle_->source_, what, describe(), expected);
}

std::int64_t PickleValue::integer(std::string_view what) const {
  if (!is(PickleKind::Int) && !is(PickleKind::Bool)) wrong(what, "a whole number");
  return pickle_->nodes_[index_].value;
}

PickleData PickleValue::data(std::string_view what) const {
  if (!is(PickleKind::String) && !is(PickleKind::Bytes)) wrong(what, "text or bytes");
  const Pickle::Node& node = pickle_->nodes_[index_];
  if (node.in_file) return {true, {}, node.value, node.length};
  const std::string_view text(pickle_->text_.data() + node.value, static_cast<std::size_t>(node.length));
  return {false, text, 0, node.length};
}

std::string_view PickleValue::text(std::string_view what) const {
  const PickleData found = data(what);
  if (found.in_file) {
    throw Error("{}: {} is {} bytes long, expected a short text", pickle_->source_, what, found.bytes);
  }
  return found.text;
}

std::string_view PickleValue::name() const {
  if (!is(PickleKind::Global)) return {};
  const Pickle::Node& node = pickle_->nodes_[index_];
  return {pickle_->text_.data() + node.value, static_cast<std::size_t>(node.length)};
}

std::int64_t PickleValue::count() const {
  return pickle_->nodes_[index_].count;
}

std::vector<PickleValue> PickleValue::items() const {
  const Pickle::Node& node = pickle_->nodes_[index_];
  std::vector<PickleValue> result;
  result.reserve(node.count);
  for (std::uint32_t link = node.first; link != Pickle::kNone; link = pickle_->links_[link].next) {
    result.push_back({*pickle_, pickle_->links_[link].node});
  }
  return result;
}

std::vector<PickleValue> PickleValue::tuple(std::int64_t at_least, std::int64_t at_most,
                                            std::string_view what) const {
  if (!is(PickleKind::Tuple)) wrong(what, "a tuple");
  if (count() < at_least || count() > at_most) {
    throw Error("{}: {} is a tuple of {}, expected {} to {}", pickle_->source_, what, count(), at_least,
                at_most);
  }
  return items();
}

bool PickleValue::is_dictionary() const {
  return is(PickleKind::Dict) || calls("collections.OrderedDict") || calls("collections.defaultdict");
}

std::vector<std::pair<PickleValue, PickleValue>> PickleValue::entries() const {
  std::vector<std::pair<PickleValue, PickleValue>> pairs;
  if (is(PickleKind::Dict) || pickle_->nodes_[index_].paired) {
    const std::vector<PickleValue> flat = items();
    for (std::size_t i = 0; i + 1 < flat.size(); i += 2) pairs.emplace_back(flat[i], flat[i + 1]);
  } else if (calls("collections.OrderedDict") && arguments().count() == 1) {
    // Python 2: OrderedDict([[key, value], ...])
    for (const PickleValue& pair : arguments().items()[0].items()) {
      if (pair.count() != 2) pair.wrong("an item of an OrderedDict", "a pair");
      const std::vector<PickleValue> both = pair.items();
      pairs.emplace_back(both[0], both[1]);
    }
  }
  return pairs;
}

bool PickleValue::calls(std::string_view global) const {
  return is(PickleKind::Call) && callable().name() == global;
}

PickleValue PickleValue::callable() const {
  if (!is(PickleKind::Call)) wrong("a value", "an object");
  return {*pickle_, pickle_->calls_[static_cast<std::size_t>(pickle_->nodes_[index_].value)].callable};
}

PickleValue PickleValue::arguments() const {
  if (!is(PickleKind::Call)) wrong("a value", "an object");
  return {*pickle_, pickle_->calls_[static_cast<std::size_t>(pickle_->nodes_[index_].value)].arguments};
}

std::optional<PickleValue> PickleValue::state() const {
  if (!is(PickleKind::Call)) return {};
  const std::uint32_t found = pickle_->calls_[static_cast<std::size_t>(pickle_->nodes_[index_].value)].state;
  if (found == Pickle::kNone) return {};
  return PickleValue(*pickle_, found);
}

PickleValue PickleValue::id() const {
  if (!is(PickleKind::PersistentId)) wrong("a value", "a persistent id");
  return {*pickle_, static_cast<std::uint32_t>(pickle_->nodes_[index_].value)};
}

}  // namespace chiaro
