#include "weights_import/files/tensor_file.hpp"

#include <algorithm>

#include "engine/io/file_kind.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/files/numpy.hpp"
#include "weights_import/files/safetensors.hpp"
#include "weights_import/files/torch_legacy.hpp"
#include "weights_import/files/torch_zip.hpp"

namespace chiaro {

std::int64_t TensorInfo::count() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

const TensorInfo* TensorFile::find(std::string_view name) const {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                  [&](const TensorInfo& tensor) { return tensor.name == name; });
  return found == tensors_.end() ? nullptr : &*found;
}

std::unique_ptr<TensorFile> open_tensor_file(const std::filesystem::path& path) {
  const FileKind kind = file_kind(InputFile(path));
  switch (kind) {
    case FileKind::Zip:
      return open_torch_zip(path);
    case FileKind::Pickle:
      return open_torch_legacy(path);
    case FileKind::Numpy:
      return open_numpy_dictionary(path);
    case FileKind::Safetensors:
      return open_safetensors(path);
    case FileKind::Binary:
    case FileKind::Text:
      if (is_torch_tar(path)) {
        throw Error(
            "{}: is a tar archive, as PyTorch before 0.1.10 wrote them: load it with a PyTorch that still "
            "can and save it again with torch.save",
            path.string());
      }
      break;
    default:
      break;
  }
  throw Error(
      "{}: no tensors can be read from it: it is {}; expected a PyTorch state dict (.pth), a safetensors "
      "file or a NumPy dictionary (.npy)",
      path.string(), describe(kind));
}

}  // namespace chiaro
