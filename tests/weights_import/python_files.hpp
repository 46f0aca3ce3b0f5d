// What the tests of files from Python share. The files are made by make_python_files.py.
#pragma once
#include <doctest/doctest.h>

#include <filesystem>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "engine/file_util.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"
#include "weights_import/files/safetensors.hpp"
#include "weights_import/files/tensor_file.hpp"

namespace chiaro::test {

inline std::filesystem::path python_file(const std::string& name) {
  return std::filesystem::path("weights_import/data/python") / name;
}

inline std::unique_ptr<SafetensorsFile> safetensors_of(const std::filesystem::path& path) {
  return std::make_unique<SafetensorsFile>(std::make_unique<InputFile>(path));
}

inline std::vector<float> ramp(std::size_t count, float first = 0) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

inline std::vector<std::string> names_of(const TensorFile& file) {
  std::vector<std::string> names;
  for (const TensorInfo& tensor : file.tensors()) names.push_back(tensor.name);
  return names;
}

inline std::vector<float> values_of(const TensorFile& file, std::string_view name) {
  const TensorInfo* tensor = file.find(name);
  REQUIRE_MESSAGE(tensor, name);
  return file.read(static_cast<std::size_t>(tensor - file.tensors().data()));
}

inline void read_everything(const std::filesystem::path& path) {
  const auto file = open_tensor_file(path);
  for (std::size_t i = 0; i < file->tensors().size(); ++i) file->read(i);
}

// The message of opening and reading one of the files, without its path.
inline std::string problem_of(const std::string& name) {
  const std::filesystem::path path = python_file(name);
  const std::string message = error_of([&] { read_everything(path); });
  CHECK(message.starts_with(path.string() + ": "));
  return message.starts_with(path.string() + ": ") ? message.substr(path.string().size() + 2) : message;
}

// Cuts the file at every length: each piece must be refused with an Error, by name.
inline void check_every_truncation(const std::string& name) {
  const TemporaryFolder folder;
  const std::string whole = read_text(python_file(name));
  const std::filesystem::path path = folder / "cut";
  write_text(path, whole);
  CHECK(error_of([&] { read_everything(path); }) == "");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_text(path, std::string_view(whole).substr(0, size));
    const std::string message = error_of([&] { read_everything(path); });
    CHECK_MESSAGE(message.starts_with(path.string() + ": "), name, " cut to ", size, " bytes: '", message,
                  "'");
  }
}

}  // namespace chiaro::test
