// MATLAB 5 files; use them through mat_file.hpp.
#pragma once
#include <memory>

#include "weights_import/files/input_file.hpp"
#include "weights_import/files/mat_file.hpp"

namespace chiaro {

std::unique_ptr<MatReader> open_mat_v5(std::unique_ptr<InputFile> file);

}  // namespace chiaro
