#include "weights_import/files/mat_v5_parser.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "kernels/base/error.hpp"
#include "weights_import/files/mat_text.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kMostExtents = 32, kMostFields = 4096, kMostNameBytes = 4096, kMostTextBytes = 1 << 20;

// Classes of arrays ("mx" constants of the format), by number.
constexpr std::array<const char*, 19> kClasses = {
    "",      "cell",   "struct", "object", "char",  "sparse", "double",          "single", "int8",  "uint8",
    "int16", "uint16", "int32",  "uint32", "int64", "uint64", "function_handle", "opaque", "object"};
constexpr int kCell = 1, kStruct = 2, kChar = 4, kFirstNumber = 6, kLastNumber = 15;

class MatrixReader {
 public:
  MatrixReader(MatStream& stream, const MatV5Context& context, std::int64_t bytes, int depth)
      : stream_(stream), context_(context), end_(stream.position() + bytes), depth_(depth) {}

  MatNamed read() {
    MatNamed result;
    context_.budget->check_depth(depth_);
    context_.budget->take(sizeof(MatValue));
    if (stream_.position() < end_) read_contents(result);  // without contents: an empty double array
    stream_.skip(end_ - stream_.position());
    return result;
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    throw Error("{}: {}: the file is damaged; download it again", context_.file, what);
  }
  MatTag tag() { return read_mat_tag(stream_, context_, end_); }

  // Whole small elements.
  std::vector<std::byte> bytes_of(const MatTag& tag, std::int64_t most, const char* what) {
    if (tag.bytes > most) damaged(fmt::format("{} of {} bytes, more than {}", what, tag.bytes, most));
    std::vector<std::byte> bytes(static_cast<std::size_t>(tag.bytes));
    stream_.read(bytes);
    stream_.skip(tag.padding);
    return bytes;
  }
  std::vector<std::uint32_t> words_of(const MatTag& tag, std::int64_t most, const char* what) {
    const bool is_words = tag.stored == static_cast<std::uint8_t>(MatStored::Int32) ||
                          tag.stored == static_cast<std::uint8_t>(MatStored::UInt32);
    if (!is_words || tag.bytes % 4 != 0) damaged(fmt::format("{} are not 32-bit integers", what));
    return units(bytes_of(tag, most * 4, what), 4);
  }
  std::vector<std::uint32_t> units(const std::vector<std::byte>& bytes, std::size_t width) const {
    std::vector<std::uint32_t> found(bytes.size() / width);
    for (std::size_t i = 0; i < found.size(); ++i) {
      for (std::size_t b = 0; b < width; ++b) {
        const std::size_t place = context_.big_endian ? width - 1 - b : b;
        found[i] |= std::to_integer<std::uint32_t>(bytes[i * width + b]) << (8 * place);
      }
    }
    return found;
  }
  std::string name_of(const MatTag& tag, std::int64_t most) {
    const std::vector<std::byte> bytes = bytes_of(tag, most, "a name");
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    return std::string(text, std::find(text, text + bytes.size(), '\0'));
  }

  void read_contents(MatNamed& result) {
    MatValue& value = result.value;
    const std::vector<std::uint32_t> flags = words_of(tag(), 2, "the flags of an array");
    if (flags.empty()) damaged("an array without flags");
    const std::uint32_t array_class = flags[0] & 0xff;
    const std::string type = array_class < kClasses.size() ? kClasses[array_class] : "";
    if (type.empty()) damaged(fmt::format("an array of the unknown class {}", array_class));
    value.type = type;
    value.payload.complex = (flags[0] & 0x0800) != 0;
    if (type == "opaque") {  // has no extents; its name comes first
      value.kind = MatKind::Other;
      result.name = name_of(tag(), kMostNameBytes);
      return;
    }
    value.shape.clear();
    for (const std::uint32_t extent : words_of(tag(), kMostExtents, "the extents of an array")) {
      value.shape.push_back(static_cast<std::int32_t>(extent));
    }
    if (value.shape.empty()) damaged("an array without extents");
    context_.budget->take(static_cast<std::int64_t>(value.shape.size() * sizeof(value.shape[0])));
    const std::int64_t count = context_.budget->count(value.shape);
    result.name = name_of(tag(), kMostNameBytes);
    const int kind = static_cast<int>(array_class);
    if (kind == kCell) return read_cell(value, count);
    if (kind == kStruct) return read_struct(value, count);
    if (kind == kChar) return read_text(value, count);
    if (kind >= kFirstNumber && kind <= kLastNumber) return read_numbers(value, count);
    value.kind = MatKind::Other;
  }

  void read_item(MatValue& parent) {
    const MatTag item = tag();
    if (item.stored != static_cast<std::uint8_t>(MatStored::Matrix)) {
      damaged(
          fmt::format("a {} holds a data element of type {}, expected an array", parent.type, item.stored));
    }
    parent.items.push_back(read_mat_matrix(stream_, context_, item.bytes, depth_ + 1).value);
  }

  void read_cell(MatValue& value, std::int64_t count) {
    value.kind = MatKind::Cell;
    for (std::int64_t i = 0; i < count; ++i) read_item(value);
  }

  void read_struct(MatValue& value, std::int64_t count) {
    value.kind = MatKind::Struct;
    const std::vector<std::uint32_t> length = words_of(tag(), 1, "the length of field names");
    if (length.size() != 1 || length[0] == 0 || length[0] > kMostNameBytes) {
      damaged("a struct with field names of impossible length");
    }
    const std::string all = [&] {
      const std::vector<std::byte> bytes = bytes_of(tag(), kMostFields * length[0], "field names");
      return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }();
    for (std::size_t at = 0; at + length[0] <= all.size(); at += length[0]) {
      context_.budget->take(static_cast<std::int64_t>(sizeof(std::string) + length[0]));
      value.fields.emplace_back(all.substr(at, length[0]).c_str());
    }
    if (value.fields.empty()) return;
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::size_t f = 0; f < value.fields.size(); ++f) read_item(value);
    }
  }

  void read_text(MatValue& value, std::int64_t count) {
    value.kind = MatKind::Text;
    if (count == 0 || stream_.position() == end_) return;
    const MatTag data = tag();
    const std::int64_t width = stored_bytes(data.stored);
    if (width == 0 || width > 4 || data.bytes % width != 0) damaged("a text of numbers");
    context_.budget->take(4 * data.bytes);
    const std::vector<std::byte> bytes = bytes_of(data, kMostTextBytes, "a text");
    if (data.stored == static_cast<std::uint8_t>(MatStored::Utf8)) {
      value.text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    } else {
      value.text = mat_utf8(units(bytes, static_cast<std::size_t>(width)));
    }
  }

  void read_numbers(MatValue& value, std::int64_t count) {
    if (count == 0 && stream_.position() == end_) return;
    const MatTag data = tag();
    const std::int64_t width = stored_bytes(data.stored);
    const bool is_number = data.stored <= static_cast<std::uint8_t>(MatStored::UInt64);
    if (width == 0 || !is_number) damaged(fmt::format("numbers of the unknown type {}", data.stored));
    if (data.bytes % width != 0 || data.bytes / width != count) {
      damaged(fmt::format("an array of {} numbers has {} bytes for them, {} each", count, data.bytes, width));
    }
    value.payload.offset = stream_.position();
    value.payload.element = context_.element;
    value.payload.stored = data.stored;
    stream_.skip(data.bytes);
  }

  MatStream& stream_;
  const MatV5Context& context_;
  std::int64_t end_;
  int depth_;
};

std::uint32_t read_word(MatStream& stream, bool big_endian) {
  std::array<std::byte, 4> raw;
  stream.read(raw);
  if (big_endian) std::reverse(raw.begin(), raw.end());
  return std::bit_cast<std::uint32_t>(raw);
}

}  // namespace

std::int64_t stored_bytes(std::uint8_t stored) {
  switch (static_cast<MatStored>(stored)) {
    case MatStored::Int8:
    case MatStored::UInt8:
    case MatStored::Utf8:
      return 1;
    case MatStored::Int16:
    case MatStored::UInt16:
    case MatStored::Utf16:
      return 2;
    case MatStored::Int32:
    case MatStored::UInt32:
    case MatStored::Single:
    case MatStored::Utf32:
      return 4;
    case MatStored::Double:
    case MatStored::Int64:
    case MatStored::UInt64:
      return 8;
    case MatStored::Matrix:
    case MatStored::Compressed:
      break;
  }
  return 0;
}

MatTag read_mat_tag(MatStream& stream, const MatV5Context& context, std::int64_t end) {
  const auto damaged = [&](std::uint32_t type, std::int64_t bytes) {
    throw Error(
        "{}: a data element of type {} claims {} bytes, where {} are left: the file is cut short or "
        "damaged; download it again",
        context.file, type, bytes, std::max<std::int64_t>(0, end - stream.position()));
  };
  if (end - stream.position() < 8) damaged(0, 8);
  const std::uint32_t first = read_word(stream, context.big_endian);
  // The short form: length and type share the first word, the data are the second one.
  const bool is_short = (first >> 16) != 0;
  const std::uint32_t type = is_short ? first & 0xffff : first;
  const std::int64_t bytes = is_short ? first >> 16 : read_word(stream, context.big_endian);
  const std::int64_t left = is_short ? 4 : end - stream.position();
  if (bytes > left || type > 0xff) damaged(type, bytes);
  const bool whole = type == static_cast<std::uint32_t>(MatStored::Matrix) ||
                     type == static_cast<std::uint32_t>(MatStored::Compressed);
  std::int64_t padding = is_short ? 4 - bytes : whole ? 0 : (8 - bytes % 8) % 8;
  if (!is_short) padding = std::min(padding, left - bytes);
  return {static_cast<std::uint8_t>(type), bytes, padding};
}

MatNamed read_mat_matrix(MatStream& stream, const MatV5Context& context, std::int64_t bytes, int depth) {
  return MatrixReader(stream, context, bytes, depth).read();
}

}  // namespace chiaro
