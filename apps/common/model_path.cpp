#include "apps/common/model_path.hpp"

#include <algorithm>
#include <system_error>
#include <vector>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

namespace fs = std::filesystem;

fs::path find_model(const std::string& model, const fs::path& shipped) {
  if (fs::exists(model) && !fs::is_directory(model)) return model;
  std::vector<std::string> names;
  if (fs::is_directory(shipped))
    for (const auto& entry : fs::directory_iterator(shipped))
      if (const fs::path file = entry.path().filename();
          file.extension() == ".h5" && !file.string().starts_with("compact_"))
        names.push_back(file.stem().string());
  std::sort(names.begin(), names.end());
  if (std::find(names.begin(), names.end(), model) != names.end()) return shipped / (model + ".h5");
  if (fs::exists(model)) return model;  // a folder: what opens it says so
  throw Error("{}: no such file, and no model of this name comes with chiaro ({}){}", model,
              names.empty() ? "none does" : "there are: " + listed(names), did_you_mean(model, names));
}

fs::path shipped_models() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path installed = program.parent_path().parent_path() / "share/chiaro/models";
    if (fs::is_directory(installed, error)) return installed;
    for (fs::path folder = program.parent_path(); folder.has_relative_path(); folder = folder.parent_path())
      if (fs::is_directory(folder / "apps/models", error)) return folder / "apps/models";
  }
  return "apps/models";
}

}  // namespace chiaro
