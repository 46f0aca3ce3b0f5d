#include "apps/stylize/memory_budget.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

// The number behind `key` in a file of lines "key number ...".
std::optional<std::int64_t> number_after(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  std::string line, word;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::int64_t number = 0;
    if (words >> word && word == key && words >> number) return number;
  }
  return {};
}

// What the groups from `group` up to the root leave: limit minus the memory in use that cannot be dropped.
std::int64_t left_in_groups(const fs::path& root, const fs::path& group, const char* limit_file,
                            const char* used_key) {
  std::int64_t left = kUnlimited;
  fs::path folder = root / group.relative_path();
  while (true) {
    std::int64_t limit = 0;
    if (std::ifstream(folder / limit_file) >> limit) {  // "max" is no number: no limit
      const std::int64_t used = number_after(folder / "memory.stat", used_key).value_or(0);
      left = std::min(left, std::max<std::int64_t>(limit - used, 0));
    }
    if (folder == root || !folder.has_relative_path()) return left;
    folder = folder.parent_path();
  }
}

}  // namespace

PictureSize scaled_to(PictureSize size, std::int64_t long_side) {
  const std::int64_t longest = std::max(size.height, size.width);
  const auto scaled = [&](std::int64_t side) {
    return std::max<std::int64_t>((side * long_side + longest / 2) / longest, 1);
  };
  return {scaled(size.height), scaled(size.width)};
}

std::int64_t available_memory(const fs::path& proc, const fs::path& cgroups) {
  std::int64_t available = kUnlimited;
  if (const auto kib = number_after(proc / "meminfo", "MemAvailable:")) available = *kib * 1024;
  std::ifstream groups(proc / "self" / "cgroup");
  std::string line;
  while (std::getline(groups, line)) {  // "0::/path" in version 2, "9:cpu,memory:/path" in version 1
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    if (controllers == ",,")
      available = std::min(available, left_in_groups(cgroups, group, "memory.max", "anon"));
    else if (controllers.find(",memory,") != controllers.npos)
      available = std::min(available,
                           left_in_groups(cgroups / "memory", group, "memory.limit_in_bytes", "total_rss"));
  }
  return available;
}

std::optional<PictureSize> largest_that_fits(PictureSize size, std::int64_t minimum, std::int64_t available,
                                             const std::function<std::int64_t(PictureSize)>& needed_bytes) {
  const auto [shortest, longest] = std::minmax(size.height, size.width);
  std::int64_t fits = (minimum * longest + shortest - 1) / shortest;
  if (fits > longest || needed_bytes(scaled_to(size, fits)) > available) return {};
  std::int64_t above = longest + 1;
  while (above - fits > 1) {
    const std::int64_t middle = fits + (above - fits) / 2;
    (needed_bytes(scaled_to(size, middle)) <= available ? fits : above) = middle;
  }
  return scaled_to(size, fits);
}

std::string format_bytes(std::int64_t bytes) {
  const double mib = static_cast<double>(bytes) / (1 << 20);
  return mib < 1024 ? fmt::format("{:.1f} MiB", mib) : fmt::format("{:.1f} GiB", mib / 1024);
}

}  // namespace chiaro
