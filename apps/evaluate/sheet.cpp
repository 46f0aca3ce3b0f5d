#include "apps/evaluate/sheet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/evaluate/depth_picture.hpp"

namespace chiaro {

namespace {

constexpr std::int64_t kCell = 256, kGap = 8, kTitleHeight = 12, kTextGap = 3;
constexpr std::uint8_t kTitleInk = 40;

PictureSize cell_size(const Image& photo) {
  return scaled_to({photo.height, photo.width}, kCell);
}

// A title, a picture, and a scale bar or space for one.
class Cell {
 public:
  Cell(const std::string& title, const Image& picture)
      : image_(kTitleHeight + picture.height + kTextGap + scale_bar_height(), kCell, 3, 255),
        below_(kTitleHeight + picture.height + kTextGap),
        width_(picture.width) {
    draw_text(image_, 0, 0, title, kTitleInk);
    for (std::int64_t y = 0; y < picture.height; ++y)
      std::copy_n(picture.at(y, 0), 3 * picture.width, image_.at(kTitleHeight + y, 0));
  }
  Cell& note(const std::string& text) {
    draw_text(image_, below_, 0, text, kTitleInk);
    return *this;
  }
  Cell& bar(ColorMap map, DepthRange range) {
    draw_scale_bar(image_, below_, 0, width_, map, range);
    return *this;
  }
  operator Image() const { return image_; }

 private:
  Image image_;
  std::int64_t below_, width_;
};

// The colors' limit, meters.
float largest_difference(const SheetRow& row) {
  std::vector<float> differences;
  for (const auto& candidate : row.candidates)
    for (std::size_t p = 0; p < row.depth->meters.size(); ++p) {
      const float x = row.depth->meters[p], y = candidate.depth->meters[p];
      if (is_depth(x) && is_depth(y)) differences.push_back(std::abs(y - x));
    }
  constexpr float kSmallest = 0.01f;
  return differences.empty() ? 1 : std::max(kSmallest, static_cast<float>(quantile(differences, 0.98)));
}

std::string notes_of(const Measurement& measurement) {
  if (measurement.perceptual)
    return fmt::format("style {:.2f}  content {:.2f}", measurement.perceptual->style,
                       measurement.perceptual->content);
  return fmt::format("gray SSIM {:.2f}", measurement.gray_ssim);
}

std::vector<Image> cells_of(const SheetRow& row) {
  const PictureSize size = cell_size(row.photo);
  const auto small = [&](const Image& image) { return resize(image, size.height, size.width); };
  const auto enlarged = [&](const DepthMap& map) { return resize_bilinear(map, size.height, size.width); };
  std::vector<Image> cells{Cell(row.name, small(row.photo))};
  DepthRange range;
  float largest = 1;
  if (row.depth) {
    range = range_of(*row.depth, 0.01);
    largest = largest_difference(row);
    cells.push_back(Cell("its depth", draw_depth(enlarged(*row.depth), range)).bar(ColorMap::Depth, range));
  }
  for (const auto& candidate : row.candidates) {
    cells.push_back(Cell(candidate.name, small(candidate.stylized)).note(notes_of(candidate.measurement)));
    if (!row.depth) continue;
    const DepthMetrics& depth = *candidate.measurement.depth;
    cells.push_back(Cell(fmt::format("depth: AbsRel {:.3f}, d<1.25 {:.2f}", depth.abs_rel, depth.delta[0]),
                         draw_depth(enlarged(*candidate.depth), range))
                        .bar(ColorMap::Depth, range));
    cells.push_back(Cell("blue: nearer than the photo, red: farther",
                         draw_difference(enlarged(*row.depth), enlarged(*candidate.depth), largest))
                        .bar(ColorMap::Difference, {-largest, largest}));
  }
  return cells;
}

}  // namespace

Image draw_sheet(const std::vector<SheetRow>& rows) {
  std::vector<std::vector<Image>> cells;
  for (const auto& row : rows) cells.push_back(cells_of(row));
  const Image grid = make_grid(cells, kGap);
  Image sheet(grid.height + 2 * kGap, grid.width + 2 * kGap, 3, 255);
  for (std::int64_t y = 0; y < grid.height; ++y)
    std::copy_n(grid.at(y, 0), 3 * grid.width, sheet.at(y + kGap, kGap));
  return sheet;
}

}  // namespace chiaro
