// HDF5 files as named tensors: chiaro's own, checkpoints of a training, Keras', and anybody's with plain datasets.
#pragma once
#include <memory>

#include "engine/io/h5_file.hpp"
#include "engine/io/input_file.hpp"
#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

// The tensors are the datasets of floating-point numbers, by their paths: "block1_conv1/block1_conv1_W_1:0"; of chiaro's
// own file by the names of its parameters. MATLAB's HDF5 has a reader of its own (mat_file.hpp).
class Hdf5File : public TensorFile {
 public:
  enum class Holds { Weights, Checkpoint, Other };

  explicit Hdf5File(std::unique_ptr<InputFile> input);

  const H5Reader& reader() const { return reader_; }
  Holds holds() const { return holds_; }  // what the file says of itself

 protected:
  std::vector<float> read_values(std::size_t index) const override;

 private:
  Hdf5File(H5Reader reader, std::int64_t bytes);
  void list(const std::string& group, int depth);

  H5Reader reader_;
  Holds holds_;
  std::vector<std::string> paths_;  // of the tensors
};

}  // namespace chiaro
