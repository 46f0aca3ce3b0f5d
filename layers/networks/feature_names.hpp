// Looking up the feature layers that a user named.
#pragma once
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

// Index of the deepest of `wanted` in `names` (network order). Throws for unknown names and for an empty
// list.
inline std::size_t deepest_feature(const std::string& network, const std::vector<std::string>& names,
                                   const std::vector<std::string>& wanted) {
  require(!wanted.empty(), "{}: no feature layer was asked for", network);
  std::size_t deepest = 0;
  for (const auto& name : wanted) {
    const auto it = std::find(names.begin(), names.end(), name);
    if (it == names.end()) {
      const std::string guess = nearest(name, names);
      throw Error("{} has no layer '{}'{}", network, name,
                  guess.empty() ? fmt::format("; it has {}", fmt::join(names, ", "))
                                : fmt::format("; did you mean '{}'?", guess));
    }
    deepest = std::max(deepest, static_cast<std::size_t>(it - names.begin()));
  }
  return deepest;
}

}  // namespace chiaro
