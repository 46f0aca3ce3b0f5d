// The reader of MATLAB 5 files and the importers on it, on arbitrary bytes: an Error or arrays, nothing else.
#include <cstdlib>

#include "engine/io/file_kind.hpp"
#include "kernels/base/error.hpp"
#include "tests/fuzz/memory_path.hpp"
#include "weights_import/files/mat_file.hpp"
#include "weights_import/matconvnet_upproj.hpp"
#include "weights_import/matconvnet_vgg.hpp"

namespace {

void read_all(const chiaro::MatFile& file, const chiaro::MatValue& value) {
  try {
    if (value.kind == chiaro::MatKind::Numbers &&
        static_cast<std::int64_t>(file.floats(value).size()) != value.count())
      std::abort();
  } catch (const chiaro::Error&) {
  }
  for (const chiaro::MatValue& item : value.items) read_all(file, item);
}

template <class Call>
void allow_error(Call&& call) {
  try {
    call();
  } catch (const chiaro::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile input(data, size);
  const std::string path = input.path();
  if (chiaro::file_kind(chiaro::InputFile(path)) == chiaro::FileKind::Hdf5) return 0;  // fuzz_hdf5.cpp
  allow_error([&] {
    const chiaro::MatFile file(path);
    read_all(file, file.variables());
    allow_error([&] { chiaro::import_matconvnet_vgg(path, 19); });
    allow_error([&] { chiaro::import_matconvnet_upproj(path); });
  });
  return 0;
}
