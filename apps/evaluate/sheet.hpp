// The picture sheet of an evaluation: a row per photo, the photo and its depth, then for every candidate its
// picture, the depth of that and what differs.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "apps/evaluate/depth_map.hpp"
#include "apps/evaluate/evaluation.hpp"
#include "engine/image/image.hpp"

namespace chiaro {

struct SheetCandidate {
  std::string name;
  Image stylized;
  std::optional<DepthMap> depth;
  Measurement measurement;
};

struct SheetRow {
  std::string name;
  Image photo;
  std::optional<DepthMap> depth;  // either all have one or none
  std::vector<SheetCandidate> candidates;
};

// One color range per row: from the 1st to the 99th percentile of the photo's depth; of the differences, the
// 98th percentile of all the row's absolute differences, to both sides.
Image draw_sheet(const std::vector<SheetRow>& rows);

}  // namespace chiaro
