#include "weights_import/files/tensor_file.hpp"

#include <algorithm>
#include <cctype>
#include <unordered_set>

#include "engine/io/file_kind.hpp"
#include "engine/io/trial.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/files/hdf5_file.hpp"
#include "weights_import/files/mat_file.hpp"
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

namespace {

// What PyTorch's own wrappers call the module inside, wherever they stand: features.module.0.weight.
bool is_wrapper(std::string_view part) {
  constexpr std::string_view kParts[] = {"module", "_orig_mod", "_fsdp_wrapped_module",
                                         "_checkpoint_wrapped_module"};
  return std::ranges::find(kParts, part) != std::end(kParts);
}

std::string without_wrappers(std::string_view name) {
  std::string kept;
  while (!name.empty()) {
    const std::size_t size = std::min(name.find('.'), name.size() - 1) + 1;
    const std::string_view part = name.substr(0, size);
    if (size == name.size() || !is_wrapper(part.substr(0, size - 1))) kept += part;
    name.remove_prefix(size);
  }
  return kept;
}

// "net." where a wrapper holds the network under one name: it stands before all tensors but counters, and what follows is a
// layer and its parameter. The number of a layer in a Sequential is no name that a network begins with.
std::string_view common_prefix(const std::vector<TensorInfo>& tensors) {
  std::string_view prefix;
  for (const TensorInfo& tensor : tensors) {
    const std::string_view name = tensor.name;
    const std::size_t dot = name.find('.');
    if (dot == name.npos && tensor.shape.empty()) continue;
    if (prefix.empty() && dot != name.npos) prefix = name.substr(0, dot + 1);
    const std::string_view rest = name.substr(std::min(prefix.size(), name.size()));
    const bool layer = rest.find('.') != rest.npos &&
                       (prefix != "features." || !std::isdigit(static_cast<unsigned char>(rest[0])));
    if (prefix.empty() || !name.starts_with(prefix) || !layer) return {};
  }
  return prefix;
}

bool distinct(const std::vector<TensorInfo>& tensors) {
  std::unordered_set<std::string_view> names;
  return std::ranges::all_of(tensors, [&](const TensorInfo& t) { return names.insert(t.name).second; });
}

std::unique_ptr<TensorFile> open_container(std::unique_ptr<InputFile> input, FileKind kind) {
  switch (kind) {
    case FileKind::Hdf5:
      return std::make_unique<Hdf5File>(std::move(input));
    case FileKind::Matlab:
    case FileKind::Matlab73:
      return std::make_unique<MatFile>(std::move(input), kind);
    case FileKind::Zip:
      return open_torch_zip(std::move(input));
    case FileKind::Pickle:
      return open_torch_legacy(std::move(input));
    case FileKind::Numpy:
      return open_numpy_dictionary(std::move(input));
    case FileKind::Safetensors:
      return std::make_unique<SafetensorsFile>(std::move(input));
    default:
      break;
  }
  const std::string& name = input->name();
  if (is_torch_tar(*input))
    throw Error(
        "{}: is a tar archive, as PyTorch before 0.1.10 wrote them: load it with a PyTorch that still "
        "can and save it again with torch.save",
        name);
  if (kind == FileKind::Binary && is_mat_v4(*input))
    throw Error(
        "{}: is a MATLAB 4 file, which is not supported: load it in MATLAB or Octave and save it with -v7",
        name);
  throw Error(
      "{}: no weights can be read from it: it is {}; expected chiaro's own file, Keras' HDF5, a PyTorch state dict "
      "(.pth), safetensors, a NumPy dictionary (.npy) or MATLAB's .mat",
      name, describe(kind));
}

}  // namespace

void TensorFile::clean_names() {
  std::vector<TensorInfo> cleaned = tensors_;
  for (TensorInfo& tensor : cleaned) tensor.name = without_wrappers(tensor.name);
  for (std::string prefix; !(prefix = common_prefix(cleaned)).empty();)
    for (TensorInfo& tensor : cleaned)
      if (tensor.name.starts_with(prefix)) tensor.name.erase(0, prefix.size());
  if (distinct(cleaned)) tensors_ = std::move(cleaned);
}

std::unique_ptr<TensorFile> open_tensor_file(const std::filesystem::path& path,
                                             const std::function<void(const TensorFile&)>& trial) {
  auto input = std::make_unique<InputFile>(path);
  const FileKind kind = file_kind(*input);
  const auto open = [&] {
    auto file = open_container(std::move(input), kind);
    file->clean_names();
    return file;
  };
  if (kind == FileKind::Hdf5 || kind == FileKind::Matlab73) try_in_child(path, [&] { trial(*open()); });
  return open();
}

}  // namespace chiaro
