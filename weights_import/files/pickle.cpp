#include "weights_import/files/pickle.hpp"

#include <algorithm>

#include "kernels/base/error.hpp"

namespace chiaro {

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 100;
  std::string result(text.substr(0, kLongest));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = '?';
  }
  return text.size() > kLongest ? result + "..." : result;
}

std::vector<PickleValue> Pickle::all(PickleKind kind) const {
  std::vector<PickleValue> found;
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].kind == kind) found.push_back({*this, i});
  }
  return found;
}

PickleKind PickleValue::kind() const {
  return pickle_->nodes_[index_].kind;
}

std::string PickleValue::describe() const {
  switch (kind()) {
    case PickleKind::None:
      return "None";
    case PickleKind::Bool:
      return "a bool";
    case PickleKind::Int:
      return "a whole number";
    case PickleKind::Float:
      return "a number";
    case PickleKind::String:
      return "text";
    case PickleKind::Bytes:
      return "bytes";
    case PickleKind::Tuple:
      return "a tuple";
    case PickleKind::List:
      return "a list";
    case PickleKind::Dict:
      return "a dictionary";
    case PickleKind::Global:
      return "the name " + printable(name());
    case PickleKind::Call:
      return "an object of " + printable(callable().name());
    case PickleKind::PersistentId:
      break;
  }
  return "a persistent id";
}

void PickleValue::wrong(std::string_view what, std::string_view expected) const {
  throw Error("{}: {} is {}, expected {}", pickle_->source_, what, describe(), expected);
}

std::int64_t PickleValue::integer(std::string_view what) const {
  if (!is(PickleKind::Int) && !is(PickleKind::Bool)) wrong(what, "a whole number");
  return pickle_->nodes_[index_].value;
}

PickleData PickleValue::data(std::string_view what) const {
  if (!is(PickleKind::String) && !is(PickleKind::Bytes)) wrong(what, "text or bytes");
  const Pickle::Node& node = pickle_->nodes_[index_];
  if (node.in_file) return {true, {}, node.value, node.length};
  const std::string_view text(pickle_->text_.data() + node.value, static_cast<std::size_t>(node.length));
  return {false, text, 0, node.length};
}

std::string_view PickleValue::text(std::string_view what) const {
  const PickleData found = data(what);
  if (found.in_file) {
    throw Error("{}: {} is {} bytes long, expected a short text", pickle_->source_, what, found.bytes);
  }
  return found.text;
}

std::string_view PickleValue::name() const {
  if (!is(PickleKind::Global)) return {};
  const Pickle::Node& node = pickle_->nodes_[index_];
  return {pickle_->text_.data() + node.value, static_cast<std::size_t>(node.length)};
}

std::int64_t PickleValue::count() const {
  return pickle_->nodes_[index_].count;
}

std::vector<PickleValue> PickleValue::items() const {
  const Pickle::Node& node = pickle_->nodes_[index_];
  std::vector<PickleValue> result;
  result.reserve(node.count);
  for (std::uint32_t link = node.first; link != Pickle::kNone; link = pickle_->links_[link].next) {
    result.push_back({*pickle_, pickle_->links_[link].node});
  }
  return result;
}

std::vector<PickleValue> PickleValue::tuple(std::int64_t at_least, std::int64_t at_most,
                                            std::string_view what) const {
  if (!is(PickleKind::Tuple)) wrong(what, "a tuple");
  if (count() < at_least || count() > at_most) {
    throw Error("{}: {} is a tuple of {}, expected {} to {}", pickle_->source_, what, count(), at_least,
                at_most);
  }
  return items();
}

bool PickleValue::is_dictionary() const {
  return is(PickleKind::Dict) || calls("collections.OrderedDict") || calls("collections.defaultdict");
}

std::vector<std::pair<PickleValue, PickleValue>> PickleValue::entries() const {
  std::vector<std::pair<PickleValue, PickleValue>> pairs;
  if (is(PickleKind::Dict) || pickle_->nodes_[index_].paired) {
    const std::vector<PickleValue> flat = items();
    for (std::size_t i = 0; i + 1 < flat.size(); i += 2) pairs.emplace_back(flat[i], flat[i + 1]);
  } else if (calls("collections.OrderedDict") && arguments().count() == 1) {
    // Python 2: OrderedDict([[key, value], ...])
    for (const PickleValue& pair : arguments().items()[0].items()) {
      if (pair.count() != 2) pair.wrong("an item of an OrderedDict", "a pair");
      const std::vector<PickleValue> both = pair.items();
      pairs.emplace_back(both[0], both[1]);
    }
  }
  return pairs;
}

bool PickleValue::calls(std::string_view global) const {
  return is(PickleKind::Call) && callable().name() == global;
}

PickleValue PickleValue::callable() const {
  if (!is(PickleKind::Call)) wrong("a value", "an object");
  return {*pickle_, pickle_->calls_[static_cast<std::size_t>(pickle_->nodes_[index_].value)].callable};
}

PickleValue PickleValue::arguments() const {
  if (!is(PickleKind::Call)) wrong("a value", "an object");
  return {*pickle_, pickle_->calls_[static_cast<std::size_t>(pickle_->nodes_[index_].value)].arguments};
}

std::optional<PickleValue> PickleValue::state() const {
  if (!is(PickleKind::Call)) return {};
  const std::uint32_t found = pickle_->calls_[static_cast<std::size_t>(pickle_->nodes_[index_].value)].state;
  if (found == Pickle::kNone) return {};
  return PickleValue(*pickle_, found);
}

PickleValue PickleValue::id() const {
  if (!is(PickleKind::PersistentId)) wrong("a value", "a persistent id");
  return {*pickle_, static_cast<std::uint32_t>(pickle_->nodes_[index_].value)};
}

}  // namespace chiaro
