#include "weights_import/files/mat_v5.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "kernels/base/error.hpp"
#include "weights_import/files/mat_stream.hpp"
#include "weights_import/files/mat_v5_parser.hpp"

namespace chiaro {
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
