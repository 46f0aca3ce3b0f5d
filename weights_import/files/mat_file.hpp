// MATLAB files as values.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/file_kind.hpp"
#include "weights_import/files/tensor_file.hpp"

namespace chiaro {

// Characters of MATLAB files as UTF-8.

// UTF-16 code units, or UTF-32 code points, to UTF-8. What is not valid becomes U+FFFD.
std::string mat_utf8(std::span<const std::uint32_t> units);

// What MATLAB files hold, as a tree: structs and cells with their contents, texts, and arrays of numbers
// whose values stay in the file until they are asked for.
enum class MatKind {
  Numbers,  // of any MATLAB class; also logical
  Text,     // char
  Cell,
  Struct,  // one or an array of them
  Other,   // what is not read: sparse, object, function_handle, opaque
};

// Where the values of an array of numbers are.
struct MatPayload {
  std::int64_t offset = 0;   // MATLAB 5: in the file or, of a compressed variable, in its inflated bytes
  std::int32_t element = 0;  // MATLAB 5: which variable
  std::uint8_t stored = 0;   // MATLAB 5: the type of the stored numbers
  bool complex = false;
  std::string dataset;  // MATLAB 7.3: the path in the HDF5 file
};

struct MatValue {
  MatKind kind = MatKind::Numbers;
  std::string type = "double";               // MATLAB's class: "single", "char", "struct", "sparse", ...
  std::vector<std::int64_t> shape = {0, 0};  // as MATLAB says it: a filter bank is (rows, columns, in, out)
  std::string text;                          // Text, in UTF-8; of several rows, column by column
  std::vector<std::string> fields;           // Struct
  std::vector<MatValue> items;  // Cell: column-major; Struct: all fields of one, then of the next
  MatPayload payload;           // Numbers

  std::int64_t count() const;  // the product of shape; readers have checked that it does not overflow
  // A field of one struct of an array, null when there is none (or this is no struct).
  const MatValue* field(std::string_view name, std::int64_t index = 0) const;
};

// One struct: an element of a struct array, or a struct inside a cell.
struct MatRecord {
  const MatValue* value = nullptr;
  std::int64_t index = 0;

  const MatValue* field(std::string_view name) const { return value->field(name, index); }
  std::string text(std::string_view name) const;  // "" when the field is missing or no text
};

// The structs of a struct array or of a cell of structs; other cells' items are left out.
std::vector<MatRecord> mat_records(const MatValue& value);

// The texts of a cell, or the one text.
std::vector<std::string> mat_texts(const MatValue& value);

// Bounds what a tree may take in memory, and its depth, by the size of the file.
class MatBudget {
 public:
  MatBudget(std::string file, std::int64_t file_bytes);
  void take(std::int64_t bytes);      // Error when the tree has become too large
  void check_depth(int depth) const;  // of nested cells and structs
  // The product of shape, an Error when it is absurd or an extent negative.
  std::int64_t count(const std::vector<std::int64_t>& shape) const;

 private:
  std::string file_;
  std::int64_t left_;
};

// MATLAB's .mat files: version 5 (also called 6 and 7; plain and compressed, both byte orders) and
// version 7.3 (HDF5).
//
// Opening reads the tree of variables; values of arrays are read one array at a time when
// asked for. Sparse arrays, objects, function handles and opaque values appear as MatKind::Other and are not
// read. Files may be damaged or hostile: every message begins with the file's name, the tree takes at most
// half the file's size + 16 MB, an array at most twice the file's size + 64 MB, and a compressed file may
// grow to at most 64 times its size + 64 MB (MATLAB 5). The reader is our own because matio, where
// distributions have it, loads whole variables, and its versions there differ in how they take damaged files.
// Source: "MAT-File Format", The MathWorks, R2019b; scipy.io and h5py for what files hold in practice.

// MATLAB 4 files have no header: whether it looks like one.
bool is_mat_v4(const InputFile& file);

// One of the two formats; made by MatFile.
class MatReader {
 public:
  virtual ~MatReader() = default;
  virtual MatValue parse() = 0;  // a struct whose fields are the variables
  // value.count() numbers in the order of the file, the first extent fastest.
  virtual std::vector<float> column_major(const MatValue& value) = 0;
};

// As tensors, the arrays of real numbers by their places in the tree, counted as MATLAB counts: "layers{3}.weights{1}",
// "params(7).value". One object is used by one thread at a time.
class MatFile : public TensorFile {
 public:
  MatFile(std::unique_ptr<InputFile> input, FileKind kind);  // Matlab or Matlab73

  const MatValue& variables() const { return variables_; }  // a struct whose fields are the variables

  // All values of an array of this tree as fp32, row-major in the order of its shape, as numpy's C order.
  // Of compressed variables, arrays asked for in the order of the tree cost one pass over the file; going
  // back costs another one.
  std::vector<float> floats(const MatValue& value) const;

 protected:
  std::vector<float> read_values(std::size_t index) const override { return floats(*arrays_.at(index)); }

 private:
  void list(const MatValue& value, const std::string& place);

  std::unique_ptr<MatReader> reader_;
  MatValue variables_;
  std::vector<const MatValue*> arrays_;  // the tensors
};

}  // namespace chiaro
