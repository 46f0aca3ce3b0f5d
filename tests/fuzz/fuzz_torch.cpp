// The readers of both PyTorch formats on arbitrary bytes: an Error or tensors, nothing else.
#include "kernels/base/error.hpp"
#include "tests/fuzz/import_all.hpp"
#include "tests/fuzz/memory_path.hpp"
#include "weights_import/files/torch_legacy.hpp"
#include "weights_import/files/torch_zip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile input(data, size);
  try {
    const bool zip = size > 0 && data[0] == 'P';
    auto opened = std::make_unique<chiaro::InputFile>(input.path());
    chiaro::is_torch_tar(*opened);
    const auto file =
        zip ? chiaro::open_torch_zip(std::move(opened)) : chiaro::open_torch_legacy(std::move(opened));
    for (std::size_t i = 0; i < file->tensors().size(); ++i) {
      if (static_cast<std::int64_t>(file->read(i).size()) != file->tensors()[i].count()) std::abort();
    }
    import_all(*file);
  } catch (const chiaro::Error&) {
  }
  return 0;
}
