#include "engine/data/depth_loader.hpp"

namespace chiaro {

std::string DepthLoader::skipped_summary(std::size_t lines) const {
  const std::vector<BadPhoto> pairs = skipped();
  const bool one = pairs.size() == 1;
  return bad_photo_text(fmt::format("{} pair{} of photo and depth map could not be used and {} skipped:",
                                    pairs.size(), one ? "" : "s", one ? "was" : "were"),
                        pairs, lines);
}

}  // namespace chiaro
