// safetensors files: the header, reading and writing.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/input_file.hpp"
#include "engine/io/weights_file.hpp"
#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

// The JSON header of a safetensors file, checked as the published format demands and within fixed bounds, so
// that a hostile header costs neither memory nor time:
//   header up to kMaxSafetensorsHeader bytes, names up to 1 KB, 65536 tensors, 4096 metadata entries, 8
//   dimensions; nothing nested deeper than the format needs; no name twice; the tensors' bytes cover the data
//   exactly, without overlaps, holes or remains.
// Types that are not in ElementType (8-bit floats, unsigned 16 bits and more) are refused by name.

// The format allows 100 MB; a network of 1000 tensors needs a tenth of one.
inline constexpr std::int64_t kMaxSafetensorsHeader = 4 << 20;
inline constexpr const char* kSafetensorsMetadata = "__metadata__";

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;    // in the order of the header
  std::vector<std::int64_t> offsets;  // of each tensor's first byte, from the end of the header
  std::map<std::string, std::string> metadata;
};

// data_bytes: what follows the header in the file. Errors begin with `file`.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::int64_t data_bytes,
                                           const std::string& file);

// "F32"
std::string_view safetensors_type(ElementType type);

// safetensors, read and written (github.com/huggingface/safetensors, README "Format").
//
//   8 bytes      little-endian length of the header
//   header       JSON {"name": {"dtype": "F32", "shape": [64,3,3,3], "data_offsets": [0,6912]}, ...,
//                "__metadata__": {"key": "text", ...}}, padded with spaces
//   values       little-endian, row-major; data_offsets count from here

using SafetensorsMetadata = std::map<std::string, std::string>;

class SafetensorsFile : public TensorFile {
 public:
  explicit SafetensorsFile(std::unique_ptr<InputFile> input);  // checks the whole header

  const SafetensorsMetadata& metadata() const { return metadata_; }

 protected:
  std::vector<float> read_values(std::size_t index) const override;

 private:
  std::unique_ptr<InputFile> input_;
  std::vector<std::int64_t> offsets_;  // of the tensors, in the file
  SafetensorsMetadata metadata_;
};

// Writes the tensors in their order as F32, or rounded to F16. Atomic; the same contents give the same bytes.
// Errors: a name twice or not UTF-8, values that do not fill their shape.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const SafetensorsMetadata& metadata, bool half = false);

}  // namespace chiaro
