// Where training photos come from: folders of files, or one packed HDF5 file.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/image/image.hpp"

namespace chiaro {

class PhotoSource {
 public:
  virtual ~PhotoSource() = default;
  virtual std::int64_t count() const = 0;
  virtual std::string name(std::int64_t index) const = 0;
  // Decodes one photo: RGB, any size; transparent ones as on a white page. short_side: as in DecodeOptions. Throws
  // Error for a photo that cannot be used, one that was cut off included. May be called from several threads.
  virtual Image read(std::int64_t index, std::int64_t short_side = 0) const = 0;
};

// Photos of list_photos(), or, if paths is a single file, the packed pictures in it
// (engine/io/packed_images.hpp).
std::unique_ptr<PhotoSource> open_photo_source(const std::vector<std::string>& paths);

// One photo file as PhotoSource::read returns it.
Image read_photo(const std::string& path, std::int64_t short_side = 0);

// The short side to decode a photo at that fit_short_side() will make `size`: twice that, so that the filter of
// resize() decides what the result looks like.
constexpr std::int64_t short_side_to_decode(std::int64_t size) {
  return 2 * size;
}

// The photo resized, aspect kept, so that its short side is `size` pixels; a smaller one is enlarged.
// Error, with name, if one side is more than 16 times the other: hardly anything of it would be used.
Image fit_short_side(const Image& photo, std::int64_t size, const std::string& name);

// The size x size square in the middle. Error if the picture is smaller.
Image center_crop(const Image& photo, std::int64_t size);

}  // namespace chiaro
