// Public files that are fetched once, into the user's cache.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "apps/common/environment.hpp"

namespace chiaro {

struct PublicFile {
  std::string_view path;  // below the base URL
  std::string_view md5;   // lower-case hexadecimal, of the whole file
};

// Where Keras publishes its weights.
inline constexpr std::string_view kKerasUrl = "https://storage.googleapis.com/tensorflow/keras-applications";

// The file in `folder`, under the last part of its path: as it is when it is there, else fetched from
// BASE_URL/path by http(s) or file, with a line of progress, and renamed to its name only when its checksum
// is right: a fetch that is broken off leaves nothing behind.
// Errors, in one line that says what to do instead: no network, the server's refusal, another checksum, no
// place to write.
std::filesystem::path cached_file(const PublicFile& file, const std::string& base_url,
                                  const std::filesystem::path& folder = cache_folder());

}  // namespace chiaro
