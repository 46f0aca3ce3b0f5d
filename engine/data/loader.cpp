#include "engine/data/loader.hpp"

namespace chiaro {

std::string Loader::bad_photo_summary(std::size_t lines) const {
  const std::vector<BadPhoto> bad = bad_photos();
  const bool one = bad.size() == 1;
  return bad_photo_text(fmt::format("{} photo{} could not be used and {} replaced by others:", bad.size(),
                                    one ? "" : "s", one ? "was" : "were"),
                        bad, lines);
}

}  // namespace chiaro
