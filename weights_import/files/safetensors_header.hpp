// The JSON header of a safetensors file, checked as the published format demands and within fixed bounds, so
// that a hostile header costs neither memory nor time:
//   header up to kMaxSafetensorsHeader bytes, names up to 1 KB, 65536 tensors, 4096 metadata entries, 8
//   dimensions; nothing nested deeper than the format needs; no name twice; the tensors' bytes cover the data
//   exactly, without overlaps, holes or remains.
// Types that are not in ElementType (8-bit floats, unsigned 16 bits and more) are refused by name.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

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

}  // namespace chiaro
