#include "weights_import/files/hdf5_file.hpp"

#include "engine/io/weights_file.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr int kDeepestGroups = 32;
constexpr std::size_t kMostDatasets = 20000;
const std::string kNativeGroup = "parameters/";

Hdf5File::Holds what_it_holds(const H5Reader& file) {
  if (is_native(file)) return Hdf5File::Holds::Weights;
  return is_checkpoint(file) ? Hdf5File::Holds::Checkpoint : Hdf5File::Holds::Other;
}

std::string format_of(Hdf5File::Holds holds) {
  if (holds == Hdf5File::Holds::Weights) return "chiaro";
  return holds == Hdf5File::Holds::Checkpoint ? "a checkpoint of chiaro" : "HDF5";
}

ElementType type_of(std::int64_t bytes) {
  return bytes == 2 ? ElementType::F16 : bytes == 4 ? ElementType::F32 : ElementType::F64;
}

}  // namespace

Hdf5File::Hdf5File(std::unique_ptr<InputFile> input) : Hdf5File(H5Reader(*input), input->bytes()) {}

Hdf5File::Hdf5File(H5Reader reader, std::int64_t bytes)
    : TensorFile(reader.file(), format_of(what_it_holds(reader)), bytes),
      reader_(std::move(reader)),
      holds_(what_it_holds(reader_)) {
  list(holds_ == Holds::Weights ? kNativeGroup : "", 0);
}

void Hdf5File::list(const std::string& group, int depth) {
  if (depth > kDeepestGroups)
    throw Error("{}: groups are nested more than {} deep: refused", file(), kDeepestGroups);
  const std::string parent = group.empty() ? "/" : group.substr(0, group.size() - 1);
  for (const std::string& name : reader_.datasets(parent)) {
    const std::string dataset = group + name;
    if (!reader_.holds_floats(dataset)) continue;
    if (tensors_.size() == kMostDatasets)
      throw Error("{}: holds more than {} tensors", file(), kMostDatasets);
    tensors_.push_back({holds_ == Holds::Weights ? name : dataset, reader_.shape(dataset),
                        type_of(reader_.element_bytes(dataset))});
    paths_.push_back(dataset);
  }
  for (const std::string& name : reader_.groups(parent)) list(group + name + "/", depth + 1);
}

std::vector<float> Hdf5File::read_values(std::size_t index) const {
  return reader_.floats(paths_.at(index));
}

}  // namespace chiaro
