// The readers on HDF5 (chiaro's own files, Keras, MATLAB 7.3) on arbitrary bytes: an Error or a network,
// nothing else. The HDF5 library does not survive every damaged file; that load_network() does is what is
// tried here. The input lies in a file: HDF5 resolves links, and that of a MemoryFile leads nowhere.
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "kernels/base/error.hpp"
#include "weights_import/weights_import.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("fuzz_hdf5_" + std::to_string(getpid()) + ".h5");
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  for (const auto kind : {"resnet_upproj", "vgg19"}) {
    try {
      chiaro::load_network(path, kind, {.padding = "nyu"});
    } catch (const chiaro::Error&) {
    }
  }
  return 0;
}
