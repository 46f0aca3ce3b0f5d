// Test files of make_matlab_files.py: where they are, and the values that they hold.
#pragma once
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/file_util.hpp"
#include "kernels/base/error.hpp"
#include "tests/support/temporary_folder.hpp"
#include "weights_import/files/mat_file.hpp"

namespace chiaro::test {

inline std::filesystem::path matlab_file(const std::string& name) {
  return std::filesystem::path("weights_import/data/matlab") / name;
}

inline MatFile open_matlab(const std::filesystem::path& path) {
  auto input = std::make_unique<InputFile>(path);
  const FileKind kind = file_kind(*input);
  return MatFile(std::move(input), kind);
}

// The file itself, or NAME.gz unpacked into the folder. kind: the folder of data/ that it lies in.
inline std::filesystem::path unpacked(const std::string& name, const TemporaryFolder& folder,
                                      const std::string& kind = "matlab") {
  const std::filesystem::path directory = std::filesystem::path("weights_import/data") / kind;
  const std::filesystem::path packed = directory / (name + ".gz");
  if (!std::filesystem::exists(packed)) return directory / name;
  gzFile in = gzopen(packed.c_str(), "rb");
  require(in != nullptr, "{}: cannot be opened", packed.string());
  std::string bytes, piece(1 << 16, '\0');
  for (int got = 0; (got = gzread(in, piece.data(), static_cast<unsigned>(piece.size()))) > 0;) {
    bytes.append(piece, 0, static_cast<std::size_t>(got));
  }
  gzclose(in);
  write_text(folder / name, bytes);
  return folder / name;
}

// The twins of seed() and value() in make_matlab_files.py.
inline std::int64_t matlab_seed(std::string_view name) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    sum += static_cast<std::int64_t>(i + 1) * static_cast<unsigned char>(name[i]);
  }
  return sum % 61;
}
inline float matlab_value(std::string_view name, std::int64_t h, std::int64_t w = 0, std::int64_t c = 0,
                          std::int64_t k = 0) {
  return static_cast<float>((matlab_seed(name) + 5 * h + 11 * w + 3 * c + 7 * k) % 61 - 30);
}

// How many elements of a (K,R,S,C) or (C) tensor are not what the script wrote under its name.
inline std::int64_t wrong_values(std::string_view name, std::span<const std::int64_t> shape,
                                 std::span<const float> values) {
  std::int64_t wrong = 0;
  for (std::size_t n = 0; n < values.size(); ++n) {
    const auto i = static_cast<std::int64_t>(n);
    if (shape.size() == 1) {
      wrong += values[n] != matlab_value(name, i);
      continue;
    }
    const std::int64_t R = shape[1], S = shape[2], C = shape[3];
    wrong += values[n] != matlab_value(name, i / (S * C) % R, i / C % S, i % C, i / (R * S * C));
  }
  return wrong;
}

}  // namespace chiaro::test
