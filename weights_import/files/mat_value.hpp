// What MATLAB files hold, as a tree: structs and cells with their contents, texts, and arrays of numbers
// whose values stay in the file until they are asked for (mat_file.hpp).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace chiaro {

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

}  // namespace chiaro
