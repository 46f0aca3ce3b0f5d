// Names in messages: lists, and "did you mean ...?", the candidate nearest to a misspelled name by
// Levenshtein distance. Used for configuration keys, layer names and dataset names. Linear in the number of
// candidates.
#pragma once
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace chiaro {

// Insertions, deletions and replacements of single bytes that turn a into b.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// The candidate with the smallest distance to name, the first one on a tie; "" when even that one differs in
// more than a third of the name (short names: two letters), so that a guess is a help and not a riddle.
template <class Candidates>
std::string nearest(std::string_view name, const Candidates& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance && distance < name.size()) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

// "; did you mean 'relu4_2'?", or "" when nothing is near. Goes at the end of a message.
template <class Candidates>
std::string did_you_mean(std::string_view name, const Candidates& candidates) {
  const std::string found = nearest(name, candidates);
  return found.empty() ? std::string() : "; did you mean '" + found + "'?";
}

// "a, b, c": the names that a message offers.
template <class Names>
std::string listed(const Names& names, std::string_view separator = ", ") {
  std::string text;
  for (const auto& name : names) {
    if (!text.empty()) text += separator;
    text += name;
  }
  return text;
}

}  // namespace chiaro
