// Many small pictures of one size in one HDF5 file: faster to open and to copy than a folder of photos.
//
//   "/"       attributes  format = "chiaro_images", version = 1
//   "images"  uint8 (count, size, size, 3), RGB, stored in chunks of one picture
//   "names"   count strings: where each picture came from
// Errors name the file.
#pragma once
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "engine/file_util.hpp"
#include "engine/image/image.hpp"
#include "engine/io/h5_file.hpp"

namespace chiaro {

// Reads such a file. All members may be called from several threads.
class PackedImages {
 public:
  explicit PackedImages(const std::filesystem::path& path);

  std::int64_t count() const { return count_; }
  std::int64_t size() const { return size_; }  // height and width of every picture
  const std::string& name(std::int64_t index) const { return names_.at(static_cast<std::size_t>(index)); }
  Image read(std::int64_t index) const;

 private:
  mutable std::mutex mutex_;  // an H5Reader serves one thread at a time
  H5Reader reader_;
  std::int64_t count_ = 0;
  std::int64_t size_ = 0;
  std::vector<std::string> names_;
};

// Writes such a file, picture by picture; how many there will be need not be known before. Each goes to the disk at
// once, into a NewFile: the whole may be larger than the memory. The file appears under its name when close()
// returns; without it nothing is left behind. Used by one thread.
class PackedImagesWriter {
 public:
  PackedImagesWriter(const std::filesystem::path& path, std::int64_t size);
  PackedImagesWriter(const PackedImagesWriter&) = delete;
  PackedImagesWriter& operator=(const PackedImagesWriter&) = delete;
  ~PackedImagesWriter();

  // image: RGB, size x size.
  void append(const Image& image, const std::string& name);
  std::int64_t count() const { return static_cast<std::int64_t>(names_.size()); }
  // Error if nothing was appended.
  void close();

 private:
  // Throws after a call of HDF5 that has failed, or may have lost bytes.
  template <class Result>
  Result checked(Result result) const;

  std::filesystem::path path_;
  std::int64_t size_;
  std::vector<std::string> names_;
  NewFile out_;
  H5Handle file_, images_;
};

}  // namespace chiaro
