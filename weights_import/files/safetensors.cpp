#include "weights_import/files/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <ostream>
#include <set>

#include "engine/file_util.hpp"
#include "engine/io/half.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

constexpr std::size_t kMaxName = 1024, kMaxListed = 65536, kMaxMetadata = 4096, kMaxRank = 8;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;

// In the order of ElementType.
constexpr std::array<std::string_view, 10> kSafetensorsTypes = {"F16", "BF16", "F32", "F64", "I8",
                                                                "U8",  "I16",  "I32", "I64", "BOOL"};

// Text from the file in a message.
std::string shown(std::string_view text) {
  return text.size() <= 80 ? std::string(text) : std::string(text.substr(0, 80)) + "...";
}

// Takes the header's parts as the parser meets them; no tree is built.
class Reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  SafetensorsHeader header;
  std::vector<std::int64_t> ends;

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a truth value"); }
  bool number_integer(number_integer_t value) override { unexpected(fmt::format("the number {}", value)); }
  bool number_float(number_float_t value, const string_t&) override {
    unexpected(fmt::format("the number {}", value));
  }
  bool binary(binary_t&) override { unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (!in_array_) unexpected(fmt::format("the number {}", value));
    std::vector<std::int64_t>& list = *numbers_;
    if (list.size() == kMaxRank) refuse("'{}' of {} has more than {} numbers", field_, place(), kMaxRank);
    if (value > static_cast<number_unsigned_t>(kMaxElements))
      refuse("'{}' of {} holds {}, which no file can hold", field_, place(), value);
    list.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata_) {
      header.metadata.emplace(field_, std::move(value));
    } else if (depth_ == 2 && field_ == "dtype") {
      type_ = std::move(value);
    } else {
      unexpected("the text '" + shown(value) + "'");
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (depth_ == 2 || in_array_) unexpected("an object");
    ++depth_;
    in_metadata_ = depth_ == 2 && name_ == kSafetensorsMetadata;
    if (depth_ == 2) {
      seen_fields_.clear();
      type_.clear();
      shape_.clear();
      offsets_.clear();
    }
    return true;
  }

  bool key(string_t& key) override {
    if (key.size() > kMaxName) refuse("a name has {} bytes, at most {} are read", key.size(), kMaxName);
    if (std::any_of(key.begin(), key.end(), [](unsigned char c) { return c < ' ' || c == 127; }))
      refuse("a name holds control characters");
    if (depth_ == 1) {
      name_ = key;
      if (!seen_names_.insert(key).second) refuse("two tensors are named '{}'", shown(key));
      if (seen_names_.size() > kMaxListed) refuse("more than {} tensors", kMaxListed);
      return true;
    }
    field_ = key;
    if (in_metadata_) {
      if (header.metadata.contains(key))
        refuse("two entries of {} are named '{}'", kSafetensorsMetadata, shown(key));
      if (header.metadata.size() == kMaxMetadata) refuse("more than {} entries of metadata", kMaxMetadata);
      return true;
    }
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      refuse("{} has an unknown entry '{}', expected dtype, shape and data_offsets", place(), shown(key));
    if (!seen_fields_.insert(key).second) refuse("{} has two entries '{}'", place(), key);
    return true;
  }

  bool start_array(std::size_t) override {
    if (in_array_ || in_metadata_ || depth_ != 2 || field_ == "dtype") unexpected("a list");
    in_array_ = true;
    numbers_ = field_ == "shape" ? &shape_ : &offsets_;
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    return true;
  }

  bool end_object() override {
    if (depth_ == 2 && !in_metadata_) add_tensor();
    in_metadata_ = false;
    --depth_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    throw Error(
        "{}: is not a safetensors file, or a damaged one: its header is not JSON at byte {}; download it "
        "again",
        file_, 8 + position);
  }

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error("{}: the safetensors header is damaged: {}", file_,
                fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  std::string place() const { return in_metadata_ ? kSafetensorsMetadata : "tensor '" + shown(name_) + "'"; }

  [[noreturn]] void unexpected(const std::string& what) const {
    if (depth_ == 0) refuse("it is {}, expected an object", what);
    if (depth_ == 1) refuse("'{}' is {}, expected an object", shown(name_), what);
    refuse("'{}' of {} holds {}, expected {}", shown(field_), place(), what,
           in_metadata_ || field_ == "dtype" ? "text" : "a list of integers");
  }

  void add_tensor() {
    for (const char* field : {"dtype", "shape", "data_offsets"})
      if (!seen_fields_.contains(field)) refuse("{} has no '{}'", place(), field);
    const auto known = std::find(kSafetensorsTypes.begin(), kSafetensorsTypes.end(), type_);
    if (known == kSafetensorsTypes.end()) {
      throw Error(
          "{}: {} has type '{}', which chiaro does not read; expected one of {}: save the file with one "
          "of these",
          file_, place(), shown(type_), listed(kSafetensorsTypes));
    }
    const auto type = static_cast<ElementType>(known - kSafetensorsTypes.begin());
    if (offsets_.size() != 2 || offsets_[0] > offsets_[1])
      refuse("data_offsets of {} are ({}), expected a begin and an end", place(), numbers(offsets_));
    // A zero must not hide an overflow: others multiply the extents in their order.
    std::int64_t count = 1;
    for (const std::int64_t extent : shape_) {
      if (extent > 0 && count > kMaxElements / extent)
        refuse("{} has the impossible shape ({})", place(), numbers(shape_));
      if (extent > 0) count *= extent;
    }
    if (std::find(shape_.begin(), shape_.end(), 0) != shape_.end()) count = 0;
    if (offsets_[1] - offsets_[0] != count * element_bytes(type)) {
      refuse("{} has {} bytes, but {} of shape ({}) needs {}", place(), offsets_[1] - offsets_[0], type_,
             numbers(shape_), count * element_bytes(type));
    }
    header.tensors.push_back({name_, shape_, type});
    header.offsets.push_back(offsets_[0]);
    ends.push_back(offsets_[1]);
  }

  static std::string numbers(const std::vector<std::int64_t>& list) {
    std::vector<std::string> texts;
    for (const std::int64_t number : list) texts.push_back(std::to_string(number));
    return listed(texts, ",");
  }

  const std::string& file_;
  int depth_ = 0;  // of objects: 1 the header, 2 a tensor or the metadata
  bool in_metadata_ = false, in_array_ = false;
  std::string name_, field_, type_;
  std::vector<std::int64_t> shape_, offsets_;
  std::vector<std::int64_t>* numbers_ = nullptr;  // the list that is being read
  std::set<std::string, std::less<>> seen_names_, seen_fields_;
};

// The tensors lie one behind the other, in any order, from the first byte of the data to the last.
void check_cover(const Reader& reader, std::int64_t data_bytes, const std::string& file) {
  const auto& offsets = reader.header.offsets;
  std::vector<std::size_t> order(offsets.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(offsets[a], reader.ends[a]) < std::pair(offsets[b], reader.ends[b]);
  });
  std::int64_t covered = 0;
  for (const std::size_t i : order) {
    const std::string name = shown(reader.header.tensors[i].name);
    if (offsets[i] < covered) reader.refuse("tensor '{}' begins inside another one", name);
    if (offsets[i] > covered)
      reader.refuse("{} bytes before tensor '{}' belong to none", offsets[i] - covered, name);
    covered = reader.ends[i];
  }
  if (covered > data_bytes) {
    throw Error(
        "{}: holds {} bytes of values, but its tensors have {}: the file is cut short; download it again",
        file, data_bytes, covered);
  }
  if (covered < data_bytes)
    reader.refuse("{} bytes behind the last tensor belong to none", data_bytes - covered);
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, std::int64_t data_bytes,
                                           const std::string& file) {
  Reader reader(file);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  check_cover(reader, data_bytes, file);
  return std::move(reader.header);
}

std::string_view safetensors_type(ElementType type) {
  return kSafetensorsTypes[static_cast<std::size_t>(type)];
}

namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::int64_t kLengthBytes = 8, kFormatMaxHeader = 100'000'000;

std::uint64_t header_length(const InputFile& input) {
  std::uint64_t length = 0;
  input.read(0, std::as_writable_bytes(std::span(&length, 1)), "the length of the safetensors header");
  return length;
}

std::string read_header(const InputFile& input) {
  const std::uint64_t length = header_length(input);
  if (length > static_cast<std::uint64_t>(kMaxSafetensorsHeader)) {
    throw Error(
        "{}: a safetensors header of {} bytes, at most {} are read: it is not a safetensors file, or no "
        "network that chiaro knows",
        input.name(), length, kMaxSafetensorsHeader);
  }
  input.check_range(kLengthBytes, static_cast<std::int64_t>(length), "the safetensors header");
  std::string header(length, '\0');
  input.read(kLengthBytes, std::as_writable_bytes(std::span(header)), "the safetensors header");
  return header;
}

std::int64_t checked_count(const NamedTensor& tensor, const std::string& file) {
  std::int64_t count = 1;
  for (const std::int64_t extent : tensor.shape) count *= extent;
  require(count == std::ssize(tensor.values), "{}: tensor '{}' has {} values, its shape needs {}", file,
          tensor.name, tensor.values.size(), count);
  return count;
}

std::string make_header(std::span<const NamedTensor> tensors, const SafetensorsMetadata& metadata, bool half,
                        const std::string& file) {
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kSafetensorsMetadata] = metadata;
  std::int64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    require(!tensor.name.empty() && tensor.name != kSafetensorsMetadata, "{}: '{}' cannot name a tensor",
            file, tensor.name);
    require(!header.contains(tensor.name), "{}: two tensors are named '{}'", file, tensor.name);
    const ElementType type = half && fits_half(tensor.values) ? ElementType::F16 : ElementType::F32;
    const std::int64_t end = offset + checked_count(tensor, file) * element_bytes(type);
    header[tensor.name] = {{"dtype", safetensors_type(type)},
                           {"shape", tensor.shape},
                           {"data_offsets", std::array<std::int64_t, 2>{offset, end}}};
    offset = end;
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    require(std::ssize(text) <= kMaxSafetensorsHeader, "{}: a header of {} bytes, at most {} are written",
            file, text.size(), kMaxSafetensorsHeader);
    return text;
  } catch (const nlohmann::json::exception&) {
    throw Error("{}: cannot be written: a name or an entry of the metadata is not UTF-8 text", file);
  }
}

void write_bytes(std::ostream& out, std::span<const std::byte> bytes) {
  out.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
}

void write_halves(std::ostream& out, std::span<const float> values) {
  std::array<std::uint16_t, 4096> halves;
  while (!values.empty()) {
    const std::size_t count = std::min(values.size(), halves.size());
    std::transform(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count), halves.begin(),
                   float_to_half);
    write_bytes(out, std::as_bytes(std::span(halves).first(count)));
    values = values.subspan(count);
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(std::unique_ptr<InputFile> input)
    : TensorFile(input->name(), "safetensors", input->bytes()), input_(std::move(input)) {
  const std::string text = read_header(*input_);
  const std::int64_t data = kLengthBytes + std::ssize(text);
  SafetensorsHeader header = parse_safetensors_header(text, input_->bytes() - data, input_->name());
  tensors_ = std::move(header.tensors);
  offsets_ = std::move(header.offsets);
  for (std::int64_t& offset : offsets_) offset += data;
  metadata_ = std::move(header.metadata);
}

std::vector<float> SafetensorsFile::read_values(std::size_t index) const {
  const TensorInfo& tensor = tensors_.at(index);
  const std::int64_t width = element_bytes(tensor.type), count = tensor.count();
  constexpr std::int64_t kMaxByteValues = 16 << 20;
  if (width == 1 && count > kMaxByteValues) {
    throw Error(
        "{}: tensor '{}' has {} values of type {}: quantized weights cannot be used, expected floating "
        "point",
        file(), tensor.name, count, element_name(tensor.type));
  }
  const std::string what = fmt::format("tensor '{}'", tensor.name);
  std::vector<float> values(static_cast<std::size_t>(count));
  if (tensor.type == ElementType::F32) {
    input_->read(offsets_[index], std::as_writable_bytes(std::span(values)), what.c_str());
    return values;
  }
  // In pieces, so that other types are not held twice.
  constexpr std::int64_t kPiece = 1 << 16;
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::min(count, kPiece) * width));
  for (std::int64_t done = 0; done < count; done += kPiece) {
    const auto piece = static_cast<std::size_t>(std::min(count - done, kPiece));
    const auto raw = std::span(bytes).first(piece * static_cast<std::size_t>(width));
    input_->read(offsets_[index] + done * width, raw, what.c_str());
    to_floats(raw, tensor.type, /*big_endian=*/false,
              std::span(values).subspan(static_cast<std::size_t>(done), piece));
  }
  return values;
}

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const SafetensorsMetadata& metadata, bool half) {
  const std::string header = make_header(tensors, metadata, half, path.string());
  write_file(path, [&](std::ostream& out) {
    const std::uint64_t length = header.size();
    write_bytes(out, std::as_bytes(std::span(&length, 1)));
    write_bytes(out, std::as_bytes(std::span(header)));
    for (const NamedTensor& tensor : tensors) {
      if (half && fits_half(tensor.values))
        write_halves(out, tensor.values);
      else
        write_bytes(out, std::as_bytes(std::span(tensor.values)));
    }
  });
}

}  // namespace chiaro
