// The reader of NumPy dictionaries on arbitrary bytes: an Error or tensors, nothing else.
#include "kernels/base/error.hpp"
#include "tests/fuzz/import_all.hpp"
#include "tests/fuzz/memory_path.hpp"
#include "weights_import/files/numpy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile input(data, size);
  try {
    const auto file = chiaro::open_numpy_dictionary(std::make_unique<chiaro::InputFile>(input.path()));
    for (std::size_t i = 0; i < file->tensors().size(); ++i) {
      if (static_cast<std::int64_t>(file->read(i).size()) != file->tensors()[i].count()) std::abort();
    }
    import_all(*file);
  } catch (const chiaro::Error&) {
  }
  return 0;
}
