// The one table of configuration keys: names, places in TrainConfig, allowed values, help. Internal to
// engine/config.
#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "engine/config/config.hpp"

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
struct ChoiceKey {
  std::string* value;
  std::vector<std::string> choices;
};
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

// All keys, bound to the fields of this config, in the order in which they are written. Those of the style, "style.image"
// and so on, where there is one; where there are several, each has its own.
std::vector<ConfigKey> config_keys(TrainConfig& config);
std::vector<ConfigKey> style_keys(StyleConfig& style);

// What a key accepts, for messages: "a whole number from 1 to 512".
std::string describe_allowed(const ConfigKey& key);

}  // namespace chiaro
