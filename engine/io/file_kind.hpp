// What a file is, judged by its first bytes. Users hand over renamed, half-downloaded and web-page "weights";
// the messages then say what the file is instead of what a parser stumbled over.
#pragma once
#include <string>

#include "engine/io/input_file.hpp"

namespace chiaro {

enum class FileKind {
  Hdf5,
  Safetensors,
  Zip,  // also PyTorch >= 1.6 .pth and NumPy .npz
  Gzip,
  Pickle,  // also PyTorch < 1.6 .pth
  Numpy,
  Matlab,    // MATLAB 5 .mat
  Matlab73,  // MATLAB 7.3 .mat: HDF5 behind a text header
  Jpeg,
  Png,
  Html,
  LfsPointer,  // the text stub that stands for a file in a Git checkout without Git LFS
  Text,
  Empty,
  Binary,  // none of these
};

FileKind file_kind(const InputFile& file);

// For messages: "a web page (HTML): the download went wrong".
std::string describe(FileKind kind);

}  // namespace chiaro
