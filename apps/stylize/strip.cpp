#include "apps/stylize/strip.hpp"

#include <algorithm>

#include "engine/image/image.hpp"

namespace chiaro {

void write_strip(const std::string& path, const std::vector<StylizeJob>& jobs, std::size_t columns) {
  constexpr std::int64_t kHeight = 240;
  std::vector<Image> photos, results;
  for (std::size_t i = 0; i < std::min(columns, jobs.size()); ++i) {
    const Image photo = flatten_alpha(decode_image(jobs[i].input));
    const std::int64_t width = std::max<std::int64_t>(1, photo.width * kHeight / photo.height);
    photos.push_back(resize(photo, kHeight, width));
    results.push_back(resize(flatten_alpha(decode_image(jobs[i].output)), kHeight, width));
  }
  encode_image(path, make_grid({photos, results}));
}

}  // namespace chiaro
