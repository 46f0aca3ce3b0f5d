// A file of named tensors, whatever its format: names, shapes and types are known at once, values are read
// one tensor at a time, so that importing never holds the file twice.
//
// Names are those that the network itself gives: what DistributedDataParallel, torch.compile, Lightning and people's own
// wrappers put before or between ("module.", "_orig_mod.", "model.net.", ...) is taken away, whatever the container.
//
// Values come in row-major order as fp32, whatever strides and type the file has. Reading can throw Error
// (the file ends too early, a type that cannot be read); messages begin with the file's name.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weights_import/files/element_type.hpp"

namespace chiaro {

struct TensorInfo {
  std::string name;
  std::vector<std::int64_t> shape;
  ElementType type = ElementType::F32;

  std::int64_t count() const;  // the product of shape; readers have checked that it does not overflow
};

class TensorFile {
 public:
  virtual ~TensorFile() = default;

  const std::string& file() const { return file_; }                    // its path as given
  const std::string& format() const { return format_; }                // for people: "PyTorch (zip)"
  const std::vector<TensorInfo>& tensors() const { return tensors_; }  // in the order of the file
  std::int64_t bytes() const { return bytes_; }                        // of the whole file

  const TensorInfo* find(std::string_view name) const;  // nullptr when there is none

  // All values of tensors()[index].
  std::vector<float> read(std::size_t index) const { return read_values(index); }
  std::vector<float> read(const TensorInfo& info) const {  // one of tensors()
    return read(static_cast<std::size_t>(&info - tensors_.data()));
  }

  // Called once, when the file is opened. Names stay where two would become the same.
  void clean_names();

 protected:
  TensorFile(std::string file, std::string format, std::int64_t bytes)
      : file_(std::move(file)), format_(std::move(format)), bytes_(bytes) {}

  virtual std::vector<float> read_values(std::size_t index) const = 0;

  std::vector<TensorInfo> tensors_;  // filled by the constructors of formats

 private:
  std::string file_, format_;
  std::int64_t bytes_;
};

// The one door for weights: opens a file and decides by its contents, once, which container it is. chiaro's own files,
// Keras' and other HDF5, MATLAB, PyTorch zip and legacy state dicts, safetensors, NumPy dictionaries; everything else is an
// Error that says what the file is.
//
// trial: what will be done with the file. HDF5 is opened, and that tried, in a child process first (trial.hpp), because the
// library does not survive all damaged files.
std::unique_ptr<TensorFile> open_tensor_file(
    const std::filesystem::path& path,
    const std::function<void(const TensorFile&)>& trial = [](const TensorFile&) {});

}  // namespace chiaro
