// What a checkpoint holds but for the time that the run took: equal for runs that must have the same bits.
#pragma once
#include <filesystem>
#include <string>

#include "engine/io/h5_file.hpp"

namespace chiaro::test {

inline std::string checkpoint_content(const std::filesystem::path& path) {
  const H5Reader file(path);
  std::string content;
  for (const char* name : {"format", "device", "precision", "config"})
    content += file.string_attribute("/", name) + "\n";
  for (const char* name : {"version", "iteration", "threads", "checksum"})
    content += std::to_string(file.integer_attribute("/", name)) + "\n";
  for (const std::string& group : file.groups())
    for (const std::string& name : file.datasets(group)) {
      content += group + "/" + name + shape_text(file.shape(group + "/" + name));
      const auto values = file.floats(group + "/" + name);
      content.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    }
  return content;
}

}  // namespace chiaro::test
