// safetensors, read and written (github.com/huggingface/safetensors, README "Format").
//
//   8 bytes      little-endian length of the header
//   header       JSON {"name": {"dtype": "F32", "shape": [64,3,3,3], "data_offsets": [0,6912]}, ...,
//                "__metadata__": {"key": "text", ...}}, padded with spaces
//   values       little-endian, row-major; data_offsets count from here
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/io/weights_file.hpp"
#include "weights_import/files/input_file.hpp"
#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

using SafetensorsMetadata = std::map<std::string, std::string>;

class SafetensorsFile : public TensorFile {
 public:
  explicit SafetensorsFile(std::unique_ptr<InputFile> input);  // see open_safetensors

  const SafetensorsMetadata& metadata() const { return metadata_; }

 protected:
  std::vector<float> read_values(std::size_t index) const override;

 private:
  std::unique_ptr<InputFile> input_;
  std::vector<std::int64_t> offsets_;  // of the tensors, in the file
  SafetensorsMetadata metadata_;
};

// Checks the whole header; see safetensors_header.hpp. Errors begin with the path.
std::unique_ptr<SafetensorsFile> open_safetensors(const std::filesystem::path& path);

// Writes the tensors in their order as F32, or rounded to F16. Atomic; the same contents give the same bytes.
// Errors: a name twice or not UTF-8, values that do not fill their shape.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const SafetensorsMetadata& metadata, bool half = false);

}  // namespace chiaro
