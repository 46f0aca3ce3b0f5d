#include "apps/stylize/strip.hpp"

#include <algorithm>
#include <map>

#include "engine/image/image.hpp"

namespace chiaro {

namespace {

constexpr std::int64_t kHeight = 240;

// The result made from this photograph, or null.
const std::string* result_of(const std::string& photo, const std::vector<StylizeJob>& jobs) {
  const auto found =
      std::find_if(jobs.begin(), jobs.end(), [&](const auto& job) { return job.input == photo; });
  return found == jobs.end() ? nullptr : &found->output;
}

}  // namespace

void write_strip(const std::string& path, const std::vector<std::vector<StylizeJob>>& styles,
                 std::size_t columns) {
  std::vector<std::vector<Image>> rows(styles.size() + 1);
  for (const StylizeJob& job : styles.at(0)) {
    if (rows[0].size() == columns) break;
    const bool everywhere =
        std::ranges::all_of(styles, [&](const auto& jobs) { return result_of(job.input, jobs); });
    if (!everywhere) continue;
    const Image photo = flatten_alpha(decode_image(job.input));
    const std::int64_t width = std::max<std::int64_t>(1, photo.width * kHeight / photo.height);
    rows[0].push_back(resize(photo, kHeight, width));
    for (std::size_t s = 0; s < styles.size(); ++s)
      rows[s + 1].push_back(
          resize(flatten_alpha(decode_image(*result_of(job.input, styles[s]))), kHeight, width));
  }
  if (!rows[0].empty()) encode_image(path, make_grid(rows));
}

}  // namespace chiaro
