// The reader of MATLAB 7.3 files on arbitrary bytes. What it finds in the HDF5 library itself is not ours to
// mend, so this is kept apart from fuzz_mat.cpp. The input lies in a file: HDF5 resolves links, and that of a
// MemoryFile leads nowhere.
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "kernels/common/error.hpp"
#include "weights_import/files/mat_file.hpp"

namespace {

void read_all(const chiaro::MatFile& file, const chiaro::MatValue& value) {
  try {
    if (value.kind == chiaro::MatKind::Numbers) file.floats(value);
  } catch (const chiaro::Error&) {
  }
  for (const chiaro::MatValue& item : value.items) read_all(file, item);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("fuzz_mat73_" + std::to_string(getpid()) + ".mat");
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    const chiaro::MatFile file(path);
    read_all(file, file.variables());
  } catch (const chiaro::Error&) {
  }
  return 0;
}
