// MATLAB's .mat files: version 5 (also called 6 and 7; plain and compressed, both byte orders) and
// version 7.3 (HDF5). Version 4 is refused by name.
//
// Opening reads the tree of variables (mat_value.hpp); values of arrays are read one array at a time when
// asked for. Sparse arrays, objects, function handles and opaque values appear as MatKind::Other and are not
// read. Files may be damaged or hostile: every message begins with the file's name, the tree takes at most
// half the file's size + 16 MB, an array at most twice the file's size + 64 MB, and a compressed file may
// grow to at most 64 times its size + 64 MB (MATLAB 5). The reader is our own because matio, where
// distributions have it, loads whole variables, and its versions there differ in how they take damaged files.
// Source: "MAT-File Format", The MathWorks, R2019b; scipy.io and h5py for what files hold in practice.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "weights_import/files/mat_value.hpp"

namespace chiaro {

// One of the two formats; made by MatFile.
class MatReader {
 public:
  virtual ~MatReader() = default;
  virtual MatValue parse() = 0;  // a struct whose fields are the variables
  // value.count() numbers in the order of the file, the first extent fastest.
  virtual std::vector<float> column_major(const MatValue& value) = 0;
};

// One object is used by one thread at a time.
class MatFile {
 public:
  explicit MatFile(const std::filesystem::path& path);

  const std::string& file() const { return file_; }      // as given, for messages
  const std::string& format() const { return format_; }  // "MATLAB 5" or "MATLAB 7.3"
  std::int64_t bytes() const { return bytes_; }
  const MatValue& variables() const { return variables_; }  // a struct whose fields are the variables

  // All values of an array of this tree as fp32, row-major in the order of its shape, as numpy's C order.
  // Of compressed variables, arrays asked for in the order of the tree cost one pass over the file; going
  // back costs another one.
  std::vector<float> floats(const MatValue& value) const;

 private:
  std::string file_, format_;
  std::int64_t bytes_ = 0;
  std::unique_ptr<MatReader> reader_;
  MatValue variables_;
};

}  // namespace chiaro
