#include "engine/data/depth_list.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>

#include "engine/data/photo_list.hpp"
#include "engine/data/photo_source.hpp"
#include "engine/file_util.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

namespace fs = std::filesystem;

struct Line {
  std::string id;
  double meters_per_unit = 0;
  std::string place;    // "train.txt:7", for messages
  std::string problem;  // "" if the line was understood
};

bool is_usable(double meters_per_unit) {
  return std::isfinite(meters_per_unit) && meters_per_unit > 0;
}

Line read_line(const std::string& text, double meters_per_unit) {
  Line line{.id = "", .meters_per_unit = meters_per_unit, .place = "", .problem = ""};
  std::istringstream words(text);
  std::string scale, rest;
  words >> line.id >> scale >> rest;
  if (scale.empty()) return line;
  const char* end = scale.data() + scale.size();
  const auto [stop, error] = std::from_chars(scale.data(), end, line.meters_per_unit);
  if (error != std::errc() || stop != end || !is_usable(line.meters_per_unit) || !rest.empty()) {
    line.problem = fmt::format("'{}' is not an id, or an id and its meters per unit", text);
  }
  return line;
}

std::vector<Line> read_id_file(const fs::path& path, double meters_per_unit) {
  std::vector<Line> lines;
  std::istringstream file(read_text(path));
  std::string text;
  for (int number = 1; std::getline(file, text); ++number) {
    if (number == 1 && text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // a byte order mark
    if (text.ends_with('\r')) text.pop_back();
    Line line = read_line(text, meters_per_unit);
    if (line.id.empty() || line.id.starts_with('#')) continue;
    line.place = fmt::format("{}:{}", path.string(), number);
    lines.push_back(std::move(line));
  }
  return lines;
}

// Id -> path of every picture below the folder. Of two with one id the first in byte order counts.
std::map<std::string, std::string> pictures_below(const fs::path& folder) {
  std::map<std::string, std::string> paths;
  for (const std::string& path : list_photos({folder.string()})) {
    paths.emplace(fs::path(path).lexically_relative(folder).replace_extension().generic_string(), path);
  }
  return paths;
}

}  // namespace

DepthList::DepthList(const std::string& folder, const std::string& id_file, double meters_per_unit) {
  require(is_usable(meters_per_unit), "{}: {} meters per unit of depth, expected a number above 0", folder,
          meters_per_unit);
  const fs::path root(folder), rgb_folder = root / "rgb", depth_folder = root / "depth";
  const auto rgb = pictures_below(rgb_folder), depth = pictures_below(depth_folder);
  std::vector<Line> lines;
  if (id_file.empty()) {
    for (const auto& [id, path] : rgb) {
      lines.push_back({.id = id, .meters_per_unit = meters_per_unit, .place = path, .problem = ""});
    }
  } else {
    lines = read_id_file(root / id_file, meters_per_unit);
  }

  for (Line& line : lines) {
    const auto photo = rgb.find(line.id), map = depth.find(line.id);
    if (line.problem.empty() && photo == rgb.end()) {
      line.problem = fmt::format("there is no photo '{}' below {}", line.id, rgb_folder.string());
    } else if (line.problem.empty() && map == depth.end()) {
      line.problem = fmt::format("there is no depth map '{}' below {}", line.id, depth_folder.string());
    }
    if (line.problem.empty()) {
      entries_.push_back({line.id, photo->second, map->second, line.meters_per_unit});
    } else {
      skipped_.push_back({line.id, line.place + ": " + line.problem});
    }
  }
  if (entries_.empty()) {
    throw Error("{}: no pair of a photo and a depth map; {}", (root / id_file).string(),
                skipped_.empty() ? "the list is empty" : "the first: " + skipped_.front().reason);
  }
}

DepthPair DepthList::read(std::int64_t index) const {
  const Entry& files = entry(index);
  DepthPair pair{read_photo(files.rgb), decode_gray(files.depth), files.meters_per_unit};
  if (pair.rgb.height != pair.depth.height || pair.rgb.width != pair.depth.width) {
    throw Error("{}: {} x {} pixels, but its photo has {} x {}; both must have one size", files.depth,
                pair.depth.width, pair.depth.height, pair.rgb.width, pair.rgb.height);
  }
  if (std::ranges::all_of(pair.depth.values, [](std::uint16_t value) { return value == 0; })) {
    throw Error("{}: no pixel has a known depth (all values are 0)", files.depth);
  }
  return pair;
}

}  // namespace chiaro
