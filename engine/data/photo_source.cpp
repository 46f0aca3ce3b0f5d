#include "engine/data/photo_source.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "engine/data/photo_list.hpp"
#include "engine/io/packed_images.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kMaxAspect = 16;

class FolderSource : public PhotoSource {
 public:
  explicit FolderSource(const std::vector<std::string>& folders) : paths_(list_photos(folders)) {}
  std::int64_t count() const override { return static_cast<std::int64_t>(paths_.size()); }
  std::string name(std::int64_t index) const override { return paths_.at(static_cast<std::size_t>(index)); }
  Image read(std::int64_t index, std::int64_t short_side) const override {
    return read_photo(name(index), short_side);
  }

 private:
  std::vector<std::string> paths_;
};

class PackedSource : public PhotoSource {
 public:
  explicit PackedSource(const std::string& path) : pictures_(path) {}
  std::int64_t count() const override { return pictures_.count(); }
  std::string name(std::int64_t index) const override { return pictures_.name(index); }
  Image read(std::int64_t index, std::int64_t) const override { return pictures_.read(index); }

 private:
  PackedImages pictures_;
};

}  // namespace

std::unique_ptr<PhotoSource> open_photo_source(const std::vector<std::string>& paths) {
  std::error_code error;
  if (paths.size() == 1 && std::filesystem::is_regular_file(paths[0], error)) {
    return std::make_unique<PackedSource>(paths[0]);
  }
  return std::make_unique<FolderSource>(paths);
}

Image read_photo(const std::string& path, std::int64_t short_side) {
  return flatten_alpha(decode_image(path, {.short_side = short_side}));
}

Image fit_short_side(const Image& photo, std::int64_t size, const std::string& name) {
  const std::int64_t short_side = std::min(photo.height, photo.width);
  const std::int64_t long_side = std::max(photo.height, photo.width);
  if (long_side > kMaxAspect * short_side) {
    throw Error("{}: {} x {} pixels are too narrow a picture to train on (at most {}:1); cut it or remove it",
                name, photo.width, photo.height, kMaxAspect);
  }
  const std::int64_t new_long = (long_side * size + short_side / 2) / short_side;
  return photo.height <= photo.width ? resize(photo, size, new_long) : resize(photo, new_long, size);
}

Image center_crop(const Image& photo, std::int64_t size) {
  return crop(photo, (photo.height - size) / 2, (photo.width - size) / 2, size, size);
}

}  // namespace chiaro
