// The one table of configuration keys: names, places in TrainConfig, allowed values, help. Internal to
// the configuration.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "apps/training/config.hpp"

namespace chiaro {

struct IntegerKey {
  std::int64_t* value;
  std::int64_t lowest, highest;
};
struct NumberKey {
  double* value;
  enum Range { AtLeastZero, Positive, ZeroToBelowOne, AboveZeroToOne } range;
};
struct BoolKey {
  bool* value;
};
// An enum whose values are the places of their names, or the name of a network.
struct ChoiceKey {
  std::vector<std::string> choices;
  std::function<std::string()> get;
  std::function<void(std::size_t choice)> set;
};
template <class Enum, std::size_t N>
ChoiceKey choice(Enum* value, const std::array<const char*, N>& names) {
  return {{names.begin(), names.end()},
          [=] { return std::string(names[static_cast<std::size_t>(*value)]); },
          [=](std::size_t i) { *value = static_cast<Enum>(i); }};
}
inline ChoiceKey choice(std::string* value, const std::vector<std::string>& names) {
  return {names, [=] { return *value; }, [=](std::size_t i) { *value = names[i]; }};
}
struct PathKey {
  std::string* value;
  std::vector<std::string> words = {};  // these are not paths: "random"
};
struct TextKey {  // any text, kept as it is
  std::string* value;
};
struct PathListKey {
  std::vector<std::string>* value;
  bool may_be_empty = false;
};
struct NameListKey {
  std::vector<std::string>* value;
};
struct NumberListKey {  // each at least 0
  std::vector<double>* value;
};

struct ConfigKey {
  std::string name;  // "train.iterations"
  std::variant<IntegerKey, NumberKey, BoolKey, ChoiceKey, PathKey, TextKey, PathListKey, NameListKey,
               NumberListKey>
      target;
  std::string help;
};

// All keys, bound to the fields of this config, in the order in which they are written. Those of the style,
// "style.image" and so on, where there is one; where there are several, each has its own, and so has every
// [[loss.feature]].
std::vector<ConfigKey> config_keys(TrainConfig& config);
std::vector<ConfigKey> style_keys(StyleConfig& style);
std::vector<ConfigKey> feature_keys(FeatureLossConfig& feature);

// What a key accepts, for messages: "a whole number from 1 to 512".
std::string describe_allowed(const ConfigKey& key);

}  // namespace chiaro
