#include "engine/data/photo_list.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

namespace fs = std::filesystem;

constexpr std::array kRead = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp"};
constexpr std::array kNotRead = {".tif", ".tiff", ".heic", ".heif", ".avif", ".gif", ".jxl", ".jp2",
                                 ".psd", ".dng",  ".cr2",  ".cr3",  ".nef",  ".arw", ".svg"};

std::string lower_case_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

struct Found {
  std::vector<std::string> photos;
  std::map<std::string, int> left_out;  // by extension
};

// inside: the real paths of the folder and of those that it was reached through.
void append_photos(const fs::path& folder, std::vector<fs::path>& inside, Found& found) {
  std::error_code error;
  fs::path real = fs::canonical(folder, error);
  if (!error && std::find(inside.begin(), inside.end(), real) != inside.end()) return;  // a loop of links
  inside.push_back(std::move(real));
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().filename().string().starts_with('.')) continue;
    std::error_code status_error;  // a dangling link is no photo and no error
    if (entry->is_directory(status_error)) {
      append_photos(entry->path(), inside, found);
    } else if (entry->is_regular_file(status_error)) {
      const std::string extension = lower_case_extension(entry->path());
      if (std::find(kRead.begin(), kRead.end(), extension) != kRead.end())
        found.photos.push_back(entry->path().string());
      else if (std::find(kNotRead.begin(), kNotRead.end(), extension) != kNotRead.end())
        ++found.left_out[extension];
    }
  }
  if (error) throw Error("{}: the folder cannot be read ({})", folder.string(), error.message());
  inside.pop_back();
}

std::string kinds_text(const std::map<std::string, int>& kinds) {
  std::string text;
  for (const auto& [extension, count] : kinds)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, extension);
  return text;
}

}  // namespace

std::vector<std::string> list_photos(const std::vector<std::string>& folders, std::string* left_out) {
  if (folders.empty()) throw Error("photos: no folder given; name at least one");
  std::vector<std::string> photos;
  std::map<std::string, int> others;
  for (const std::string& folder : folders) {
    std::error_code error;
    const fs::file_status status = fs::status(folder, error);
    if (!fs::exists(status)) throw Error("{}: no such folder; check the path of the photos", folder);
    if (!fs::is_directory(status)) throw Error("{}: this is a file, expected a folder of photos", folder);
    Found found;
    std::vector<fs::path> inside;
    append_photos(folder, inside, found);
    if (found.photos.empty()) {
      throw Error(
          "{}: no photos found; looked for .jpg, .jpeg, .png, .webp and .bmp files in it and below{}", folder,
          found.left_out.empty() ? "" : "; those of other kinds are not read: " + kinds_text(found.left_out));
    }
    std::sort(found.photos.begin(), found.photos.end());
    photos.insert(photos.end(), found.photos.begin(), found.photos.end());
    for (const auto& [extension, count] : found.left_out) others[extension] += count;
  }
  if (left_out) *left_out = kinds_text(others);
  return photos;
}

}  // namespace chiaro
