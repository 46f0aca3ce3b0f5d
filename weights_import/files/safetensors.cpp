#include "weights_import/files/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <nlohmann/json.hpp>
#include <ostream>

#include "engine/file_util.hpp"
#include "engine/io/half.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/files/safetensors_header.hpp"

namespace chiaro {
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

std::unique_ptr<SafetensorsFile> open_safetensors(const std::filesystem::path& path) {
  return std::make_unique<SafetensorsFile>(std::make_unique<InputFile>(path));
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
