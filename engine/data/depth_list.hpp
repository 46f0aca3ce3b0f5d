// Pairs of a photo and its depth map, for the training of depth networks.
//
// FOLDER/rgb/NAME.jpg (or .jpeg, .png, .bmp) belongs to FOLDER/depth/NAME.png; NAME, the pair's id, may hold
// folders ("kitchen/0001"). A depth map is a gray PNG of 8 or 16 bits with
//   depth in meters = value * meters_per_unit,      value 0: depth unknown
// for example 9.99547 / 255 for 8-bit maps that end at 9.99547 m, or 0.001 for 16-bit millimeters.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/data/samples.hpp"
#include "engine/image/image.hpp"

namespace chiaro {

struct DepthPair {
  Image rgb;        // three channels
  GrayImage depth;  // the same height and width
  double meters_per_unit = 0;
};

class DepthList {
 public:
  // id_file: the pairs to use, one id a line, in this order; relative to the folder, or absolute. An id may
  // be followed by a blank and the meters per unit of this pair alone. Empty lines and lines that begin with
  // # are passed over. id_file "": every photo below rgb/, in byte order.
  // An id without a photo or depth map, or that cannot be understood, is skipped and recorded.
  // Errors: a missing folder or id_file, meters_per_unit <= 0, no pair at all.
  DepthList(const std::string& folder, const std::string& id_file, double meters_per_unit);

  std::int64_t count() const { return static_cast<std::int64_t>(entries_.size()); }
  const std::string& name(std::int64_t index) const { return entry(index).id; }
  // Decodes a pair. Throws Error where it cannot be used: a damaged file, different sizes, no known depth.
  // May be called from several threads.
  DepthPair read(std::int64_t index) const;

  // The ids that were skipped, in the order of the list; the reason begins with the path.
  const std::vector<BadPhoto>& skipped() const { return skipped_; }

 private:
  struct Entry {
    std::string id, rgb, depth;
    double meters_per_unit;
  };
  const Entry& entry(std::int64_t index) const { return entries_.at(static_cast<std::size_t>(index)); }

  std::vector<Entry> entries_;
  std::vector<BadPhoto> skipped_;
};

}  // namespace chiaro
