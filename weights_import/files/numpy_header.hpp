// The header of .npy files, versions 1, 2 and 3: a Python dictionary as text, parsed strictly.
// Source: numpy/lib/format.py.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "weights_import/files/input_file.hpp"

namespace chiaro {

struct NumpyHeader {
  std::string descr;  // "<f4", "|O"
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::int64_t data_offset = 0;  // where the values or the pickle begin
};

// Headers of more than 64 KiB, structured types and everything that np.save does not write are Errors.
NumpyHeader read_numpy_header(const InputFile& input);

}  // namespace chiaro
