#include <stb/stb_easy_font.h>

#include <algorithm>

#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

// As stb_easy_font_print writes it.
struct Vertex {
  float x, y, z;
  unsigned char color[4];
};
constexpr std::size_t kBytesPerLetter = 500;  // more than the font ever needs

}  // namespace

void draw_text(Image& image, std::int64_t top, std::int64_t left, const std::string& text, std::uint8_t gray,
               std::int64_t scale) {
  require(image.channels == 3 && scale >= 1, "image: text is drawn on RGB at a scale >= 1, found {} and {}",
          image.channels, scale);
  std::vector<Vertex> vertices((text.size() + 1) * kBytesPerLetter / sizeof(Vertex));
  std::string letters = text;
  for (char& c : letters)
    if (c < ' ' || c > '~') c = '?';  // the font has no more
  const int quads = stb_easy_font_print(0, 0, letters.data(), nullptr, vertices.data(),
                                        static_cast<int>(vertices.size() * sizeof(Vertex)));
  // A quad is an axis-aligned rectangle: corner 0 is the upper left one, corner 2 the lower right one.
  for (int q = 0; q < quads; ++q) {
    const Vertex &from = vertices[4 * q], &to = vertices[4 * q + 2];
    const auto pixel = [scale](std::int64_t origin, float at) {
      return origin + scale * static_cast<std::int64_t>(at);
    };
    for (auto y = std::max<std::int64_t>(pixel(top, from.y), 0); y < std::min(pixel(top, to.y), image.height);
         ++y)
      for (auto x = std::max<std::int64_t>(pixel(left, from.x), 0);
           x < std::min(pixel(left, to.x), image.width); ++x)
        std::fill_n(image.at(y, x), 3, gray);
  }
}

}  // namespace chiaro
