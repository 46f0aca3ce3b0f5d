#include <libexif/exif-data.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engine/image/format_header.hpp"
#include "engine/image/image.hpp"

namespace chiaro {
namespace {

constexpr std::size_t kMaxExifBytes = 1 << 20;  // those of a JPEG are below 64 KiB

struct UnrefExif {
  void operator()(ExifData* data) const { exif_data_unref(data); }
};

}  // namespace

int exif_orientation(std::span<const std::uint8_t> exif) {
  constexpr std::string_view kMark("Exif\0\0", 6);  // JPEG has it, PNG and WebP mostly not, libexif wants it
  if (exif.empty() || exif.size() > kMaxExifBytes) return 1;
  std::string block(reinterpret_cast<const char*>(exif.data()), exif.size());
  if (!block.starts_with(kMark)) block.insert(0, kMark);
  const std::unique_ptr<ExifData, UnrefExif> data(exif_data_new_from_data(
      reinterpret_cast<const unsigned char*>(block.data()), static_cast<unsigned>(block.size())));
  if (!data) return 1;
  ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (!entry || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
  const int orientation = exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

Image apply_orientation(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool transposed = orientation >= 5;
  Image upright(transposed ? image.width : image.height, transposed ? image.height : image.width,
                image.channels);
  const std::int64_t bottom = image.height - 1, right = image.width - 1;
  for (std::int64_t y = 0; y < upright.height; ++y) {
    for (std::int64_t x = 0; x < upright.width; ++x) {
      std::int64_t from_y = transposed ? x : y, from_x = transposed ? y : x;
      // EXIF 2.32, tag 274: which stored row and column are the visible top and left.
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        from_y = bottom - from_y;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        from_x = right - from_x;
      std::memcpy(upright.at(y, x), image.at(from_y, from_x), static_cast<std::size_t>(image.channels));
    }
  }
  return upright;
}

}  // namespace chiaro
