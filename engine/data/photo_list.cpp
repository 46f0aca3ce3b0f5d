#include "engine/data/photo_list.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <system_error>

#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

namespace fs = std::filesystem;

bool is_photo_name(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".bmp";
}

void append_photos(const fs::path& folder, std::vector<std::string>& photos) {
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().filename().string().starts_with('.')) continue;
    std::error_code status_error;  // a dangling link is no photo and no error
    if (entry->is_directory(status_error)) {
      if (!entry->is_symlink(status_error)) append_photos(entry->path(), photos);
    } else if (is_photo_name(entry->path()) && entry->is_regular_file(status_error)) {
      photos.push_back(entry->path().string());
    }
  }
  if (error) throw Error("{}: the folder cannot be read ({})", folder.string(), error.message());
}

}  // namespace

std::vector<std::string> list_photos(const std::vector<std::string>& folders) {
  if (folders.empty()) throw Error("photos: no folder given; name at least one");
  std::vector<std::string> photos;
  for (const std::string& folder : folders) {
    std::error_code error;
    const fs::file_status status = fs::status(folder, error);
    if (!fs::exists(status)) throw Error("{}: no such folder; check the path of the photos", folder);
    if (!fs::is_directory(status)) throw Error("{}: this is a file, expected a folder of photos", folder);
    std::vector<std::string> found;
    append_photos(folder, found);
    if (found.empty()) {
      throw Error("{}: no photos found; looked for .jpg, .jpeg, .png and .bmp files in it and below", folder);
    }
    std::sort(found.begin(), found.end());
    photos.insert(photos.end(), found.begin(), found.end());
  }
  return photos;
}

}  // namespace chiaro
