#include "apps/training/config.hpp"

#include <toml++/toml.h>
#include <algorithm>
#include <cmath>
#include <sstream>

#include "apps/training/config_keys.hpp"
#include "engine/file_util.hpp"
#include "engine/io/weights_file.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {
namespace {

namespace fs = std::filesystem;

std::string absolute_path(const std::string& path, const fs::path& folder) {
  return path.empty() ? path : fs::absolute(folder / path).lexically_normal().string();
}

// One of the key's words as it is, anything else as a path.
std::string path_or_word(const PathKey& key, const std::string& text, const fs::path& folder) {
  const bool word = std::find(key.words.begin(), key.words.end(), text) != key.words.end();
  return word ? text : absolute_path(text, folder);
}

// A string, or the strings of a list; false for anything else. Empty names are refused.
bool read_strings(const toml::node& node, std::vector<std::string>& out) {
  out.clear();
  const auto add = [&](const toml::node& item) {
    const auto text = item.value_exact<std::string>();
    if (text && !text->empty()) out.push_back(unescaped(*text));
    return text && !text->empty();
  };
  if (const toml::array* list = node.as_array()) {
    return std::all_of(list->begin(), list->end(), [&](const toml::node& item) { return add(item); });
  }
  return add(node);
}

bool in_range(double value, NumberKey::Range range) {
  if (!std::isfinite(value) || value < 0) return false;
  switch (range) {
    case NumberKey::Positive:
      return value > 0;
    case NumberKey::ZeroToBelowOne:
      return value < 1;
    case NumberKey::AboveZeroToOne:
      return value > 0 && value <= 1;
    case NumberKey::AtLeastZero:
      break;
  }
  return true;
}

// Stores a value in a key's field; false when its type or value is not allowed. Paths start from folder.
struct Assign {
  const toml::node& node;
  const fs::path& folder;

  bool operator()(const IntegerKey& key) const {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < key.lowest || *value > key.highest) return false;
    *key.value = *value;
    return true;
  }
  bool operator()(const NumberKey& key) const {
    if (!node.is_number() || !in_range(*node.value<double>(), key.range)) return false;
    *key.value = *node.value<double>();
    return true;
  }
  bool operator()(const BoolKey& key) const {
    if (!node.is_boolean()) return false;
    *key.value = *node.value_exact<bool>();
    return true;
  }
  bool operator()(const ChoiceKey& key) const {
    const auto value = node.value_exact<std::string>();
    const auto found = value ? std::ranges::find(key.choices, *value) : key.choices.end();
    if (found == key.choices.end()) return false;
    key.set(static_cast<std::size_t>(found - key.choices.begin()));
    return true;
  }
  bool operator()(const PathKey& key) const {
    const auto value = node.value_exact<std::string>();
    if (!value) return false;
    *key.value = path_or_word(key, unescaped(*value), folder);
    return true;
  }
  bool operator()(const TextKey& key) const {
    const auto value = node.value_exact<std::string>();
    if (value) *key.value = unescaped(*value);
    return value.has_value();
  }
  bool operator()(const PathListKey& key) const {
    std::vector<std::string> paths;
    if (!read_strings(node, paths) || (paths.empty() && !key.may_be_empty)) return false;
    for (std::string& path : paths) path = absolute_path(path, folder);
    *key.value = paths;
    return true;
  }
  bool operator()(const NameListKey& key) const { return read_strings(node, *key.value); }
  bool operator()(const NumberListKey& key) const {
    const toml::array* list = node.as_array();
    if (!list) return false;
    key.value->clear();
    for (const toml::node& item : *list) {
      if (!item.is_number() || !in_range(*item.value<double>(), NumberKey::AtLeastZero)) return false;
      key.value->push_back(*item.value<double>());
    }
    return true;
  }
};

std::string as_toml(const toml::node& node) {
  std::ostringstream out;
  node.visit([&](const auto& n) { out << n; });
  return out.str();
}

// "train.iteration": the nearest full name, or the key that has this last part ("lr": "optimizer.lr").
std::string suggestion(const std::string& name, const std::vector<ConfigKey>& keys) {
  std::vector<std::string> names;
  for (const ConfigKey& key : keys) {
    names.push_back(key.name);
    if (key.name.ends_with("." + name)) return "; did you mean '" + key.name + "'?";
  }
  return did_you_mean(name, names);
}

bool is_section(const std::string& name, const std::vector<ConfigKey>& keys) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const ConfigKey& k) { return k.name.starts_with(name + "."); });
}

// where: what messages begin with, "config.toml:12" or the override.
void assign(const std::vector<ConfigKey>& keys, const std::string& name, const toml::node& node,
            const std::string& where, const fs::path& folder) {
  const auto key = std::find_if(keys.begin(), keys.end(), [&](const ConfigKey& k) { return k.name == name; });
  if (key == keys.end()) {
    if (is_section(name, keys))
      throw Error("{}: '{}' is a section, not a key: write [{}]", where, name, name);
    throw Error("{}: unknown key '{}'{}", where, name, suggestion(name, keys));
  }
  if (!std::visit(Assign{node, folder}, key->target)) {
    throw Error("{}: {} = {} is not allowed, expected {}", where, name, as_toml(node),
                describe_allowed(*key));
  }
}

// The relative paths among the defaults.
void resolve_defaults(const std::vector<ConfigKey>& keys, const fs::path& folder) {
  for (const ConfigKey& key : keys) {
    if (const auto* path = std::get_if<PathKey>(&key.target))
      *path->value = path_or_word(*path, *path->value, folder);
    if (const auto* paths = std::get_if<PathListKey>(&key.target)) {
      for (std::string& path : *paths->value) path = absolute_path(path, folder);
    }
  }
}

void assign_table(const std::vector<ConfigKey>& keys, const toml::table& table, const std::string& prefix,
                  const std::string& file, const fs::path& folder) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    const toml::table* inner = node.as_table();
    if (inner && (!inner->empty() || is_section(name, keys))) {
      assign_table(keys, *inner, name + ".", file, folder);
    } else {
      assign(keys, name, node, fmt::format("{}:{}", file, key.source().begin.line), folder);
    }
  }
}

bool takes_text(const ConfigKey& key) {
  return std::holds_alternative<ChoiceKey>(key.target) || std::holds_alternative<PathKey>(key.target) ||
         std::holds_alternative<TextKey>(key.target) || std::holds_alternative<PathListKey>(key.target) ||
         std::holds_alternative<NameListKey>(key.target);
}

// Whether the text, which may look like a list, is meant as a file or folder: "[2020] Rome".
bool is_path(const ConfigKey& key, const std::string& text) {
  std::error_code ignored;
  if (std::holds_alternative<PathListKey>(key.target)) return fs::exists(text, ignored);
  return std::holds_alternative<PathKey>(key.target) && text.find_first_of("\"'") != 0;
}

// The text with bytes that TOML would refuse as they are written in its strings.
std::string for_toml(const std::string& text) {
  const bool quoted = text.find('"') != std::string::npos;
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    // A character of UTF-8 stays whole.
    std::size_t length = 1;
    while (length < 4 && at + length < text.size() && (text[at + length] & 0xc0) == 0x80) ++length;
    const std::string character = escaped(text.substr(at, length));
    const bool ascii = static_cast<unsigned char>(text[at]) < 0x80 && length == 1;
    if (ascii || character == text.substr(at, length)) {
      result += text.substr(at, length);
      at += length - 1;
    } else {
      result += (quoted ? "\\\\x" : "\\x") + escaped(text.substr(at, 1)).substr(2);
    }
  }
  return result;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

void assign_override(const std::vector<ConfigKey>& keys, const std::string& text) {
  const std::string where = "override '" + text + "'";
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) throw Error("{}: expected KEY=VALUE", where);
  const std::string name = trimmed(text.substr(0, equals)), value = trimmed(text.substr(equals + 1));
  const auto key = std::find_if(keys.begin(), keys.end(), [&](const ConfigKey& k) { return k.name == name; });
  const bool text_key = key != keys.end() && takes_text(*key);
  if (key != keys.end() && is_path(*key, value))
    return assign(keys, name, toml::value<std::string>(escaped(value)), where, fs::current_path());

  toml::table parsed;
  try {
    parsed = toml::parse("value = " + for_toml(value));
  } catch (const toml::parse_error& error) {
    if (value.find_first_of("[{\"'") == 0) throw Error("{}: is not TOML: {}", where, error.description());
    // Anything else that is not TOML is a string without quotes.
  }
  const toml::node* node = parsed.size() == 1 ? parsed.get("value") : nullptr;
  // For a key that wants text, 1984 and true are text too.
  const bool bare = !node || (text_key && !node->is_string() && !node->is_array());
  const toml::value<std::string> bare_value(escaped(value));
  assign(keys, name, bare ? bare_value : *node, where, fs::current_path());
}

// Reads tables of an array, [[style]], into `list`, which becomes as long. keys_of: of an element. section: "style".
template <class T, class KeysOf>
void assign_list(std::vector<T>& list, std::size_t first, const toml::array& tables,
                 const std::string& section, KeysOf keys_of, const std::string& file,
                 const fs::path& folder) {
  const std::string where = fmt::format("{}:{}", file, tables.source().begin.line);
  if (tables.empty()) throw Error("{}: {} = [] holds nothing", where, section);
  list.resize(first);
  list.resize(first + tables.size());
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const toml::table* table = tables.get(i)->as_table();
    if (!table)
      throw Error("{}: {} = {} is not allowed, expected tables: [[{}]]", where, section, as_toml(tables),
                  section);
    const auto keys = keys_of(list[first + i]);
    resolve_defaults(keys, folder);
    assign_table(keys, *table, section + ".", file, folder);
  }
}

// Several [[style]], and [[loss.feature]]: taken out of the table, which has only keys with one place then.
void assign_lists(TrainConfig& config, toml::table& table, const std::string& file, const fs::path& folder) {
  if (const toml::array* styles = table["style"].as_array()) {
    assign_list(config.styles, 0, *styles, "style", style_keys, file, folder);
    table.erase("style");
  }
  toml::table* loss = table["loss"].as_table();
  if (!loss) return;
  if (const toml::array* features = (*loss)["feature"].as_array()) {
    assign_list(config.loss.features, config.loss.features.size(), *features, "loss.feature", feature_keys,
                file, folder);
    loss->erase("feature");
  }
}

void check_terms(TrainConfig& config, const std::string& file) {
  std::vector<std::string> names;
  for (const auto& term : config.loss.terms()) {
    if (!is_style_name(term.name))
      throw Error("{}: loss.feature.name = \"{}\" is not allowed, expected {}", file, term.name, kNameRule);
    if (std::ranges::find(names, term.name) != names.end())
      throw Error("{}: two losses are called '{}'; give them names: loss.feature.name", file, term.name);
    names.push_back(term.name);
  }
}

void check_styles(const TrainConfig& config, const std::string& file) {
  std::vector<std::string> names;
  for (const StyleConfig& style : config.styles) {
    const std::string name = style_name(style);
    if (!is_style_name(name))
      throw Error("{}: style.name = \"{}\" is not allowed, expected {}", file, name, kNameRule);
    if (std::find(names.begin(), names.end(), name) != names.end())
      throw Error("{}: two styles are called '{}'; give them names: style.name", file, name);
    names.push_back(name);
  }
}

void check_distinct(const std::vector<std::string>& layers, const char* section, const std::string& file) {
  for (auto layer = layers.begin(); layer != layers.end(); ++layer) {
    if (std::find(layers.begin(), layer, *layer) != layer)
      throw Error("{}: {}.layers names '{}' twice", file, section, *layer);
  }
}

void check_layers(const FeatureLossConfig& loss, const std::string& file) {
  const std::string& name = loss.name;
  if (!loss.layer_weights.empty() && loss.layer_weights.size() != loss.layers.size()) {
    throw Error("{}: loss.{}.layer_weights has {} values, expected {}, one per layer, or none", file, name,
                loss.layer_weights.size(), loss.layers.size());
  }
  check_distinct(loss.layers, fmt::format("loss.{}", name).c_str(), file);
  if (loss.layers.empty() && loss.weight > 0) {
    throw Error("{}: loss.{}.layers is empty; name a layer or set loss.{}.weight = 0", file, name, name);
  }
}

// The value of a key as TOML text. fmt writes the shortest digits that read back as the same number.
std::string value_text(const ConfigKey& key) {
  return std::visit(
      [](const auto& target) -> std::string {
        const auto value = [&] {
          if constexpr (std::is_same_v<std::remove_cvref_t<decltype(target)>, ChoiceKey>)
            return target.get();
          else
            return *target.value;
        }();
        using T = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return as_toml(toml::value<std::string>(escaped(value)));
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          std::vector<std::string> texts;
          for (const std::string& v : value) texts.push_back(as_toml(toml::value<std::string>(escaped(v))));
          return "[" + listed(texts) + "]";
        } else if constexpr (std::is_same_v<T, std::vector<double>>) {
          std::vector<std::string> texts;
          for (const double v : value) texts.push_back(fmt::format("{}", v));
          return "[" + listed(texts) + "]";
        } else {
          return fmt::format("{}", value);
        }
      },
      key.target);
}

}  // namespace

std::vector<LossConfig::Term> LossConfig::terms() {
  std::vector<Term> list{{style.name, &style.weight, style.share}};
  for (FeatureLossConfig& feature : features) list.push_back({feature.name, &feature.weight, feature.share});
  for (PictureLossConfig& picture : pictures) list.push_back({picture.name, &picture.weight, picture.share});
  return list;
}

TrainConfig parse_config(std::string_view text, const std::string& name, const fs::path& folder,
                         std::span<const std::string> overrides) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw Error("{}:{}: is not TOML: {}", name, error.source().begin.line, error.description());
  }
  TrainConfig config;
  assign_lists(config, table, name, folder);
  const std::vector<ConfigKey> keys = config_keys(config);
  resolve_defaults(keys, folder);
  assign_table(keys, table, "", name, folder);
  for (const std::string& item : overrides) {
    if (config.styles.size() > 1 && trimmed(item).starts_with("style."))
      throw Error("override '{}': there are {} styles; which one is meant can be said in the file only", item,
                  config.styles.size());
    assign_override(keys, item);
  }
  check_styles(config, name);
  check_terms(config, name);
  check_layers(config.loss.style, name);
  for (const FeatureLossConfig& feature : config.loss.features) check_layers(feature, name);
  check_distinct(config.distill.layers, "distill", name);
  if (config.distill.layers.empty()) throw Error("{}: distill.layers is empty; name a layer", name);
  return config;
}

TrainConfig load_config(const fs::path& path, std::span<const std::string> overrides) {
  return parse_config(read_text(path), path.string(), fs::absolute(path).parent_path(), overrides);
}

std::string to_toml(const TrainConfig& config) {
  TrainConfig copy = config;
  std::string text, section;
  for (const ConfigKey& key : config_keys(copy)) {
    const std::size_t dot = key.name.rfind('.');
    const std::string found = dot == std::string::npos ? "" : key.name.substr(0, dot);
    if (found != section) text += fmt::format("\n[{}]\n", found);
    section = found;
    std::string line =
        fmt::format("{} = {}", key.name.substr(dot == std::string::npos ? 0 : dot + 1), value_text(key));
    if (!key.help.empty()) line = fmt::format("{:<40} # {}", line, key.help);
    text += line + "\n";
  }
  const auto add_table = [&](const std::string& section, const std::vector<ConfigKey>& keys) {
    text += fmt::format("\n[[{}]]\n", section);
    for (const ConfigKey& key : keys)
      text += fmt::format("{} = {}\n", key.name.substr(key.name.rfind('.') + 1), value_text(key));
  };
  if (copy.styles.size() > 1)
    for (StyleConfig& style : copy.styles) add_table("style", style_keys(style));
  for (std::size_t i = LossConfig{}.features.size(); i < copy.loss.features.size(); ++i)
    add_table("loss.feature", feature_keys(copy.loss.features[i]));
  return text;
}

std::string key_table() {
  TrainConfig defaults;
  FeatureLossConfig feature;
  std::string text = "| Key | Default | Takes | Meaning |\n|---|---|---|---|\n";
  const auto add = [&](const ConfigKey& key) {
    text += fmt::format("| `{}` | `{}` | {} | {} |\n", key.name, value_text(key), describe_allowed(key),
                        key.help);
  };
  for (const ConfigKey& key : config_keys(defaults)) add(key);
  for (const ConfigKey& key : feature_keys(feature)) add(key);
  return text;
}

std::string style_name(const StyleConfig& style) {
  if (!style.name.empty()) return style.name;
  std::string name = fs::path(style.image).stem().string().substr(0, 100);
  for (char& c : name)
    if (!is_style_name({c})) c = '_';
  return is_style_name(name) ? name : "style";
}

}  // namespace chiaro
