#include <algorithm>
#include <cstring>
#include <numeric>

#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

std::int64_t total(const std::vector<std::int64_t>& extents, std::int64_t gap) {
  return std::accumulate(extents.begin(), extents.end(), std::int64_t{0}) +
         gap * (static_cast<std::int64_t>(extents.size()) - 1);
}

void paste(const Image& image, Image& sheet, std::int64_t top, std::int64_t left) {
  const Image flat = flatten_alpha(image);
  for (std::int64_t y = 0; y < flat.height; ++y) {
    std::memcpy(sheet.at(top + y, left), flat.at(y, 0), static_cast<std::size_t>(flat.width * 3));
  }
}

}  // namespace

Image make_grid(const std::vector<std::vector<Image>>& rows, std::int64_t gap) {
  std::vector<std::int64_t> heights(rows.size(), 0), widths;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    widths.resize(std::max(widths.size(), rows[r].size()), 0);
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      heights[r] = std::max(heights[r], rows[r][c].height);
      widths[c] = std::max(widths[c], rows[r][c].width);
    }
  }
  require(!widths.empty() && gap >= 0,
          "image: a grid needs a picture and a gap >= 0, found {} rows and gap {}", rows.size(), gap);
  Image sheet(total(heights, gap), total(widths, gap), 3, 255);
  std::int64_t top = 0;
  for (std::size_t r = 0; r < rows.size(); top += heights[r] + gap, ++r) {
    std::int64_t left = 0;
    for (std::size_t c = 0; c < rows[r].size(); left += widths[c] + gap, ++c)
      paste(rows[r][c], sheet, top, left);
  }
  return sheet;
}

}  // namespace chiaro
