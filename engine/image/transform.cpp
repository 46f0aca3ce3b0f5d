#if __has_include(<stb/stb_image_resize.h>)
#include <stb/stb_image_resize.h>
#else
#include <stb/stb_image_resize2.h>
#endif

#include <algorithm>
#include <cstring>
#include <limits>

#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

#if __has_include(<stb/stb_image_resize.h>)
bool resize_pixels(const Image& from, Image& to) {
  return stbir_resize_uint8_generic(from.pixels.data(), static_cast<int>(from.width),
                                    static_cast<int>(from.height), 0, to.pixels.data(),
                                    static_cast<int>(to.width), static_cast<int>(to.height), 0, from.channels,
                                    from.channels == 4 ? 3 : STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP,
                                    STBIR_FILTER_DEFAULT, STBIR_COLORSPACE_LINEAR, nullptr) != 0;
}
#else
bool resize_pixels(const Image& from, Image& to) {
  return stbir_resize_uint8_linear(from.pixels.data(), static_cast<int>(from.width),
                                   static_cast<int>(from.height), 0, to.pixels.data(),
                                   static_cast<int>(to.width), static_cast<int>(to.height), 0,
                                   from.channels == 4 ? STBIR_RGBA : STBIR_RGB) != nullptr;
}
#endif

}  // namespace

Image::Image(std::int64_t height_, std::int64_t width_, int channels_, std::uint8_t value)
    : height(height_), width(width_), channels(channels_) {
  // The libraries behind this take int sizes and int offsets.
  require(height > 0 && width > 0 && (channels == 3 || channels == 4) &&
              width <= std::numeric_limits<int>::max() / channels / height,
          "image: {} x {} pixels with {} channels are not possible", width, height, channels);
  pixels.assign(static_cast<std::size_t>(height * width * channels), value);
}

Image resize(const Image& image, std::int64_t height, std::int64_t width) {
  if (image.height == height && image.width == width) return image;
  Image resized(height, width, image.channels);
  require(resize_pixels(image, resized), "image: resizing {} x {} to {} x {} pixels failed", image.width,
          image.height, width, height);
  return resized;
}

Image crop(const Image& image, std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width) {
  require(top >= 0 && left >= 0 && height > 0 && width > 0 && height <= image.height - top &&
              width <= image.width - left,
          "image: crop of {} x {} pixels at column {}, row {} does not fit into {} x {}", width, height, left,
          top, image.width, image.height);
  Image part(height, width, image.channels);
  for (std::int64_t y = 0; y < height; ++y) {
    std::memcpy(part.at(y, 0), image.at(top + y, left), static_cast<std::size_t>(width * image.channels));
  }
  return part;
}

Image flatten_alpha(Image image) {
  if (image.channels == 3) return image;
  Image flat(image.height, image.width, 3);
  for (std::int64_t p = 0; p < image.height * image.width; ++p) {
    const std::uint8_t* in = image.pixels.data() + p * 4;
    std::uint8_t* out = flat.pixels.data() + p * 3;
    for (int c = 0; c < 3; ++c) {
      out[c] = static_cast<std::uint8_t>((in[c] * in[3] + 255 * (255 - in[3]) + 127) / 255);
    }
  }
  return flat;
}

}  // namespace chiaro
