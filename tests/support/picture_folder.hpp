// A temporary folder for tests of pictures: paths as strings, subfolders made as needed.
#pragma once
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/support/temporary_folder.hpp"

namespace chiaro::test {

class PictureFolder {
 public:
  std::string path() const { return folder_.path().string(); }
  // The path of `name` in this folder; the folders on the way are made.
  std::string operator/(const std::string& name) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    return path.string();
  }
  // Writes a file and returns its path.
  std::string write(const std::string& name, std::string_view bytes) const {
    const std::string path = *this / name;
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path;
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace chiaro::test
