// How much memory there is, and what fits into it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace chiaro {

struct PictureSize {
  std::int64_t height = 0, width = 0;
  bool operator==(const PictureSize&) const = default;
};

// Scaled so that the long side is `long_side`.
PictureSize scaled_to(PictureSize size, std::int64_t long_side);

// Bytes that this process may still take without swapping: MemAvailable of the machine, or what is left below
// the limit of a control group (version 1 or 2) that holds the process, whichever is less. Page cache counts
// as free. The largest number when the system says nothing. Arguments: where the kernel's files are.
std::int64_t available_memory(const std::filesystem::path& proc = "/proc",
                              const std::filesystem::path& cgroups = "/sys/fs/cgroup");

// The largest size of this aspect, not above `size`, for which needed_bytes(size) <= available; both sides
// are at least `minimum`. Empty when there is none. needed_bytes should grow with the size; where it does
// not, a size that fits is still found, but perhaps not the largest.
std::optional<PictureSize> largest_that_fits(PictureSize size, std::int64_t minimum, std::int64_t available,
                                             const std::function<std::int64_t(PictureSize)>& needed_bytes);

// "812.5 MiB", "3.1 GiB".
std::string format_bytes(std::int64_t bytes);

}  // namespace chiaro
