// Weight files that people download, by the SHA-256 of their contents.
//
// The names of torch's model zoo end in the first eight hexadecimal digits of that checksum; for files of
// which no more is published, those eight are compared.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace chiaro {

struct KnownFile {
  std::string_view sha256;      // all 64 digits or the first ones that are known
  std::string_view kind;        // of layers/networks/networks.hpp; "" = not a network that chiaro uses
  std::string_view preprocess;  // "torch", "caffe"; "" = told by the format
  std::string_view description;
};

// Lower-case hexadecimal SHA-256 of the whole file, read in pieces.
std::string sha256_of(const std::filesystem::path& path);

// The entry with this checksum, or nullptr.
const KnownFile* known_file(std::string_view sha256);

}  // namespace chiaro
