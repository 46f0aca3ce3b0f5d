// MATLAB 7.3 files, HDF5 with MATLAB's conventions; use them through mat_file.hpp.
//
// Structs are groups, cells and struct arrays are datasets of references to objects in "/#refs#", characters
// are uint16, extents are reversed (so that HDF5's order of values is MATLAB's), and an empty array is a
// dataset that holds its extents and has the attribute MATLAB_empty.
#pragma once
#include <memory>

#include "weights_import/files/mat_file.hpp"

namespace chiaro {

std::unique_ptr<MatReader> open_mat_v73(const InputFile& input);

}  // namespace chiaro
