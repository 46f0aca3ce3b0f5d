// The reader of MATLAB 5 files and the importers on it, on arbitrary bytes: an Error or arrays, nothing else.
#include <cstdlib>

#include "engine/io/file_kind.hpp"
#include "kernels/base/error.hpp"
#include "tests/fuzz/import_all.hpp"
#include "tests/fuzz/memory_path.hpp"
#include "weights_import/files/mat_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile input(data, size);
  try {
    auto opened = std::make_unique<chiaro::InputFile>(input.path());
    if (chiaro::file_kind(*opened) != chiaro::FileKind::Matlab) return 0;  // HDF5: fuzz_hdf5.cpp
    const chiaro::MatFile file(std::move(opened), chiaro::FileKind::Matlab);
    for (std::size_t i = 0; i < file.tensors().size(); ++i) {
      try {
        if (static_cast<std::int64_t>(file.read(i).size()) != file.tensors()[i].count()) std::abort();
      } catch (const chiaro::Error&) {
      }
    }
    import_all(file);
  } catch (const chiaro::Error&) {
  }
  return 0;
}
