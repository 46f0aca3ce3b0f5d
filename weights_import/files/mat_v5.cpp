#include "weights_import/files/mat_v5.hpp"

#include <zlib.h>
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/base/error.hpp"
#include "weights_import/files/mat_file.hpp"

namespace chiaro {

namespace {

constexpr std::int64_t kPieceBytes = 32 << 10;

class FileStream : public MatStream {
 public:
  FileStream(const InputFile& file, std::int64_t begin, std::int64_t end) : file_(file), end_(end) {
    file.check_range(begin, end - begin, "a variable");
    position_ = begin;
  }

  void read(std::span<std::byte> out) override {
    check(std::ssize(out));
    file_.read(position_, out, "a variable");
    position_ += std::ssize(out);
  }
  void skip(std::int64_t bytes) override {
    check(bytes);
    position_ += bytes;
  }
  void finish() override { position_ = end_; }

 private:
  void check(std::int64_t bytes) const {
    if (bytes >= 0 && bytes <= end_ - position_) return;
    throw Error(
        "{}: a variable ends at byte {}, but its contents would need {} bytes from byte {} on: the "
        "file is damaged; download it again",
        file_.name(), end_, bytes, position_);
  }

  const InputFile& file_;
  std::int64_t end_;
};

class InflatingStream : public MatStream {
 public:
  InflatingStream(const InputFile& file, std::int64_t begin, std::int64_t end, std::int64_t most)
      : file_(file), next_(begin), end_(end), most_(most), piece_(kPieceBytes), scratch_(kPieceBytes) {
    file.check_range(begin, end - begin, "a compressed variable");
    if (inflateInit(&zlib_) != Z_OK) throw Error("{}: zlib cannot be used", file.name());
  }
  InflatingStream(const InflatingStream&) = delete;
  InflatingStream& operator=(const InflatingStream&) = delete;
  ~InflatingStream() override { inflateEnd(&zlib_); }

  void read(std::span<std::byte> out) override {
    if (std::ssize(out) > most_ - position_) {
      throw Error(
          "{}: a compressed variable grows beyond {} bytes, more than a file of {} bytes should hold: it "
          "is damaged or not a file of weights",
          file_.name(), most_, file_.bytes());
    }
    while (!out.empty()) {
      const std::size_t got = inflate_some(out);
      if (got == 0) {
        throw Error(
            "{}: the compressed data of a variable end after {} bytes, too early: the file is cut short "
            "or damaged; download it again",
            file_.name(), position_);
      }
      out = out.subspan(got);
    }
  }
  void skip(std::int64_t bytes) override {
    while (bytes > 0) {
      const std::int64_t piece = std::min(bytes, kPieceBytes);
      read(std::span(scratch_).first(static_cast<std::size_t>(piece)));
      bytes -= piece;
    }
  }
  void finish() override {
    while (!ended_) {
      if (position_ > most_) read(scratch_);  // throws
      inflate_some(scratch_);
    }
  }

 private:
  // Fills a beginning of out; 0 bytes only at the end of the compressed data.
  std::size_t inflate_some(std::span<std::byte> out) {
    constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
    const std::size_t wanted = std::min(out.size(), kMost);
    zlib_.next_out = reinterpret_cast<Bytef*>(out.data());
    zlib_.avail_out = static_cast<uInt>(wanted);
    while (!ended_ && zlib_.avail_out == wanted) {
      if (zlib_.avail_in == 0) refill();
      const int status = inflate(&zlib_, Z_NO_FLUSH);
      ended_ = status == Z_STREAM_END;
      const bool needs_input = status == Z_BUF_ERROR && zlib_.avail_in == 0;
      if (!ended_ && status != Z_OK && !needs_input) {
        throw Error(
            "{}: the compressed data of a variable are damaged near byte {} of the file; download it "
            "again",
            file_.name(), next_ - zlib_.avail_in);
      }
    }
    const std::size_t got = wanted - zlib_.avail_out;
    position_ += static_cast<std::int64_t>(got);
    return got;
  }
  void refill() {
    const std::int64_t bytes = std::min(kPieceBytes, end_ - next_);
    if (bytes <= 0) {
      throw Error(
          "{}: the compressed data of a variable are incomplete after byte {} of the file: it is cut "
          "short or damaged; download it again",
          file_.name(), end_);
    }
    file_.read(next_, std::span(piece_).first(static_cast<std::size_t>(bytes)), "a compressed variable");
    next_ += bytes;
    zlib_.next_in = reinterpret_cast<Bytef*>(piece_.data());
    zlib_.avail_in = static_cast<uInt>(bytes);
  }

  const InputFile& file_;
  std::int64_t next_, end_, most_;
  std::vector<std::byte> piece_, scratch_;
  z_stream zlib_{};
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<MatStream> file_stream(const InputFile& file, std::int64_t begin, std::int64_t end) {
  return std::make_unique<FileStream>(file, begin, end);
}

std::unique_ptr<MatStream> inflating_stream(const InputFile& file, std::int64_t begin, std::int64_t end,
                                            std::int64_t most) {
  return std::make_unique<InflatingStream>(file, begin, end, most);
}

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

namespace {

constexpr std::int64_t kHeaderBytes = 128, kTagBytes = 8;
// A file of weights shrinks little by compression; mean images and texts shrink a lot, but are small.
constexpr std::int64_t kMostGrowth = 64, kGrowthAlways = 64 << 20;
constexpr std::int64_t kNumbersAtOnce = 64 << 10;  // a multiple of every size of number

template <class Stored>
void convert(std::span<const std::byte> bytes, bool big_endian, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::array<std::byte, sizeof(Stored)> raw;
    std::memcpy(raw.data(), bytes.data() + i * sizeof(Stored), sizeof(Stored));
    if (big_endian) std::reverse(raw.begin(), raw.end());
    out[i] = static_cast<float>(std::bit_cast<Stored>(raw));
  }
}

void convert(std::uint8_t stored, std::span<const std::byte> bytes, bool big_endian, std::span<float> out) {
  switch (static_cast<MatStored>(stored)) {
    case MatStored::Int8:
      return convert<std::int8_t>(bytes, big_endian, out);
    case MatStored::UInt8:
      return convert<std::uint8_t>(bytes, big_endian, out);
    case MatStored::Int16:
      return convert<std::int16_t>(bytes, big_endian, out);
    case MatStored::UInt16:
      return convert<std::uint16_t>(bytes, big_endian, out);
    case MatStored::Int32:
      return convert<std::int32_t>(bytes, big_endian, out);
    case MatStored::UInt32:
      return convert<std::uint32_t>(bytes, big_endian, out);
    case MatStored::Single:
      return convert<float>(bytes, big_endian, out);
    case MatStored::Double:
      return convert<double>(bytes, big_endian, out);
    case MatStored::Int64:
      return convert<std::int64_t>(bytes, big_endian, out);
    case MatStored::UInt64:
      return convert<std::uint64_t>(bytes, big_endian, out);
    default:  // the parser lets nothing else pass
      throw Error("numbers of the unknown type {} in a MATLAB file", stored);
  }
}

class MatV5Reader : public MatReader {
 public:
  explicit MatV5Reader(std::unique_ptr<InputFile> file) : file_(std::move(file)) { read_header(); }

  MatValue parse() override {
    MatBudget budget(file_->name(), file_->bytes());
    MatValue variables;
    variables.kind = MatKind::Struct;
    variables.type = "struct";
    variables.shape = {1, 1};
    MatV5Context context{file_->name(), big_endian_, &budget, 0};
    std::int64_t growth_left = kGrowthAlways + kMostGrowth * file_->bytes();
    for (std::int64_t at = kHeaderBytes; at < file_->bytes();) {
      file_->check_range(at, kTagBytes, "a variable");
      const auto header = file_stream(*file_, at, file_->bytes());
      const MatTag tag = read_mat_tag(*header, context, file_->bytes());
      const std::int64_t begin = header->position(), end = begin + tag.bytes;
      const bool compressed = tag.stored == static_cast<std::uint8_t>(MatStored::Compressed);
      if (!compressed && tag.stored != static_cast<std::uint8_t>(MatStored::Matrix)) {
        throw Error(
            "{}: a data element of type {} at byte {}, expected a variable: the file is damaged; "
            "download it again",
            file_->name(), tag.stored, at);
      }
      budget.take(sizeof(Element) + sizeof(std::string));
      context.element = static_cast<std::int32_t>(elements_.size());
      elements_.push_back({begin, end, compressed, growth_left});
      MatNamed variable = read_variable(context, tag.bytes, growth_left);
      budget.take(static_cast<std::int64_t>(variable.name.size()));
      variables.fields.push_back(std::move(variable.name));
      variables.items.push_back(std::move(variable.value));
      at = end;
    }
    return variables;
  }

  std::vector<float> column_major(const MatValue& value) override {
    const std::int64_t width = stored_bytes(value.payload.stored);
    MatStream& stream = stream_at(value.payload);
    std::vector<float> values(static_cast<std::size_t>(value.count()));
    std::vector<std::byte> piece(
        static_cast<std::size_t>(std::min(kNumbersAtOnce, static_cast<std::int64_t>(values.size()) * width)));
    for (std::span<float> left = values; !left.empty();) {
      const std::size_t count = std::min(left.size(), piece.size() / static_cast<std::size_t>(width));
      const auto bytes = std::span(piece).first(count * static_cast<std::size_t>(width));
      stream.read(bytes);
      convert(value.payload.stored, bytes, big_endian_, left.first(count));
      left = left.subspan(count);
    }
    return values;
  }

 private:
  struct Element {
    std::int64_t begin, end;
    bool compressed;
    std::int64_t most;  // bytes when inflated
  };

  void read_header() {
    std::array<std::byte, kHeaderBytes> header;
    file_->read(0, header, "the header");
    const auto at = [&](std::size_t i) { return std::to_integer<int>(header[i]); };
    big_endian_ = at(126) == 'M' && at(127) == 'I';
    if (!big_endian_ && !(at(126) == 'I' && at(127) == 'M')) {
      throw Error(
          "{}: begins like a MATLAB 5 file, but its byte order is not marked: it is damaged; download it "
          "again",
          file_->name());
    }
    const int version = big_endian_ ? at(124) * 256 + at(125) : at(125) * 256 + at(124);
    if (version != 0x0100) {
      throw Error("{}: is a MATLAB file of version {}.{}, expected 1.0 (MATLAB 5 to 7) or 2.0 (7.3, HDF5)",
                  file_->name(), version / 256, version % 256);
    }
  }

  std::unique_ptr<MatStream> open(const Element& element) const {
    return element.compressed ? inflating_stream(*file_, element.begin, element.end, element.most)
                              : file_stream(*file_, element.begin, element.end);
  }

  MatNamed read_variable(const MatV5Context& context, std::int64_t bytes, std::int64_t& growth_left) {
    const Element& element = elements_.back();
    const auto stream = open(element);
    if (!element.compressed) return read_mat_matrix(*stream, context, bytes);
    const MatTag tag = read_mat_tag(*stream, context, element.most);
    if (tag.stored != static_cast<std::uint8_t>(MatStored::Matrix)) {
      throw Error(
          "{}: a compressed data element holds one of type {}, expected a variable: the file is damaged; "
          "download it again",
          file_->name(), tag.stored);
    }
    MatNamed variable = read_mat_matrix(*stream, context, tag.bytes);
    stream->finish();
    growth_left -= std::min(growth_left, stream->position());
    return variable;
  }

  MatStream& stream_at(const MatPayload& payload) {
    if (!stream_ || stream_element_ != payload.element || stream_->position() > payload.offset) {
      stream_ = open(elements_.at(static_cast<std::size_t>(payload.element)));
      stream_element_ = payload.element;
    }
    stream_->skip(payload.offset - stream_->position());
    return *stream_;
  }

  std::unique_ptr<InputFile> file_;
  bool big_endian_ = false;
  std::vector<Element> elements_;
  std::unique_ptr<MatStream> stream_;  // where the last array ended
  std::int32_t stream_element_ = -1;
};

}  // namespace

std::unique_ptr<MatReader> open_mat_v5(std::unique_ptr<InputFile> file) {
  return std::make_unique<MatV5Reader>(std::move(file));
}

}  // namespace chiaro
