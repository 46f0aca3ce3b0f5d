#include "weights_import/files/numpy_header.hpp"

#include <array>
#include <charconv>
#include <set>
#include <string_view>

#include "kernels/base/error.hpp"
#include "weights_import/files/pickle.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kLongestHeader = 65536;
constexpr std::size_t kMaxExtents = 32;

// Reads the literal from left to right.
class Literal {
 public:
  Literal(std::string_view text, const std::string& file) : rest_(text), file_(file) {}

  NumpyHeader parse() {
    NumpyHeader header;
    std::set<std::string, std::less<>> keys;
    expect('{');
    while (!accept('}')) {
      const std::string key = text();
      if (!keys.insert(key).second) fail("has the key '" + printable(key) + "' twice");
      expect(':');
      if (key == "descr") {
        if (peek() != '\'' && peek() != '"') fail("has a structured type, expected plain numbers or objects");
        header.descr = text();
      } else if (key == "fortran_order") {
        header.fortran_order = boolean();
      } else if (key == "shape") {
        header.shape = shape();
      } else {
        fail("has the unknown key '" + printable(key) + "'");
      }
      if (accept('}')) break;
      expect(',');
    }
    if (keys.size() != 3) fail("lacks descr, fortran_order or shape");
    skip_space();
    if (!rest_.empty()) fail("goes on behind its dictionary");
    return header;
  }

 private:
  void skip_space() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }

  char peek() {
    skip_space();
    return rest_.empty() ? '\0' : rest_[0];
  }

  bool accept(char c) {
    if (peek() != c || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c))
      fail(fmt::format("is malformed: expected '{}' before '{}'", c, printable(rest_.substr(0, 20))));
  }

  std::string text() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("is malformed: expected a quoted text");
    const std::size_t end = rest_.find(quote, 1);
    if (end == rest_.npos) fail("is malformed: a text has no end");
    const std::string found(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return found;
  }

  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(std::string_view(word).size());
      return value;
    }
    fail("has a fortran_order that is neither True nor False");
  }

  std::vector<std::int64_t> shape() {
    std::vector<std::int64_t> extents;
    expect('(');
    while (!accept(')')) {
      if (extents.size() == kMaxExtents) fail(fmt::format("has more than {} extents", kMaxExtents));
      extents.push_back(extent());
      if (accept(')')) break;
      expect(',');
    }
    return extents;
  }

  std::int64_t extent() {
    skip_space();
    std::int64_t value = 0;
    const auto [end, problem] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (problem != std::errc() || value < 0) fail("is malformed: expected an extent");
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    if (!rest_.empty() && rest_[0] == 'L') rest_.remove_prefix(1);  // Python 2
    return value;
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error("{}: the header of the .npy file {}", file_, problem);
  }

  std::string_view rest_;
  const std::string& file_;
};

}  // namespace

NumpyHeader read_numpy_header(const InputFile& input) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  std::array<unsigned char, 12> head{};
  input.read(0, std::as_writable_bytes(std::span(head).first(8)), "the header of a .npy file");
  if (std::string_view(reinterpret_cast<const char*>(head.data()), kMagic.size()) != kMagic) {
    throw Error("{}: is not a NumPy .npy file", input.name());
  }
  const int major = head[6], minor = head[7];
  if (major < 1 || major > 3 || minor != 0) {
    throw Error("{}: is a .npy file of version {}.{}, expected 1.0, 2.0 or 3.0", input.name(), major, minor);
  }
  const std::int64_t size_bytes = major == 1 ? 2 : 4;
  const auto size = std::span(head).subspan(8, static_cast<std::size_t>(size_bytes));
  input.read(8, std::as_writable_bytes(size), "the header of a .npy file");
  std::int64_t length = 0;
  for (std::size_t i = size.size(); i-- > 0;) length = length << 8 | size[i];
  if (length > kLongestHeader) {
    throw Error("{}: the header of the .npy file has {} bytes, expected at most {}: the file is damaged",
                input.name(), length, kLongestHeader);
  }
  const std::int64_t begin = 8 + size_bytes;
  input.check_range(begin, length, "the header of a .npy file");
  std::string text(static_cast<std::size_t>(length), '\0');
  input.read(begin, std::as_writable_bytes(std::span(text)), "the header of a .npy file");
  NumpyHeader header = Literal(text, input.name()).parse();
  header.data_offset = begin + length;
  return header;
}

}  // namespace chiaro
