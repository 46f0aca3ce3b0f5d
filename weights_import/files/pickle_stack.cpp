// What the opcodes are made of: the stack, the memo and the building of values.
#include <algorithm>
#include <bit>
#include <charconv>

#include "kernels/base/error.hpp"
#include "weights_import/files/pickle_machine.hpp"

namespace chiaro {

std::uint32_t PickleMachine::add(Node node) {
  if (pickle_.nodes_.size() == kMaxNodes) fail(fmt::format("has more than {} values", kMaxNodes));
  pickle_.nodes_.push_back(node);
  return static_cast<std::uint32_t>(pickle_.nodes_.size() - 1);
}

void PickleMachine::push(std::uint32_t node) {
  if (stack_.size() == kMaxNodes) fail(fmt::format("stacks more than {} values", kMaxNodes));
  stack_.push_back(node);
}

void PickleMachine::push_new(PickleKind kind, std::int64_t value) {
  push(add({.kind = kind, .value = value}));
}

void PickleMachine::push_float(double value) {
  push_new(PickleKind::Float, std::bit_cast<std::int64_t>(value));
}

void PickleMachine::push_string(PickleKind kind, std::string_view text) {
  const auto offset = static_cast<std::int64_t>(pickle_.text_.size());
  pickle_.text_ += text;
  push(add({.kind = kind, .value = offset, .length = std::ssize(text)}));
}

void PickleMachine::push_from_input(PickleKind kind, std::uint64_t length) {
  if (length > INT64_MAX) fail("has an endless text");
  const auto bytes = static_cast<std::int64_t>(length);
  input_.need(bytes);
  if (bytes > kLongestText) {
    push(add({.kind = kind, .in_file = true, .value = input_.position(), .length = bytes}));
    input_.skip(bytes);
  } else {
    push(add({.kind = kind, .value = std::ssize(pickle_.text_), .length = bytes}));
    input_.append_to(pickle_.text_, bytes);
  }
}

// From the uppermost count values of the stack.
void PickleMachine::push_container(PickleKind kind, std::size_t count) {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() - floor < count) fail("takes more values than there are");
  if (kind == PickleKind::Dict && count % 2 != 0) fail("has a dictionary with a key but no value");
  const std::uint32_t container = add({.kind = kind});
  for (std::size_t i = stack_.size() - count; i < stack_.size(); ++i) append(container, stack_[i]);
  stack_.resize(stack_.size() - count);
  push(container);
}

namespace {

// A module by the name that the allowed ones are listed under: that of Python 3 and of NumPy 1.
std::string_view listed_module(std::string_view module) {
  constexpr std::pair<std::string_view, std::string_view> kOther[] = {
      {"__builtin__", "builtins"},
      {"copy_reg", "copyreg"},
      {"pathlib._local", "pathlib"},
      {"numpy._core.multiarray", "numpy.core.multiarray"},
      {"numpy._core.numeric", "numpy.core.numeric"}};
  for (const auto& [other, listed] : kOther)
    if (module == other) return listed;
  return module;
}

}  // namespace

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  const std::string full = std::string(module) + "." + std::string(name);
  const std::string listed = fmt::format("{}.{}", listed_module(module), name);
  if (std::ranges::find(rules_.allowed, listed) == rules_.allowed.end()) {
    const std::string refusal = rules_.refusal ? rules_.refusal(full) : "";
    if (!refusal.empty()) throw Error("{}: {}", pickle_.source_, refusal);
    throw Error("{}: the pickle wants {}, which a weights file has no use for: refused", pickle_.source_,
                printable(full));
  }
  push_string(PickleKind::Global, full);
}

// Of the callable and the arguments on the stack.
void PickleMachine::push_call() {
  const std::uint32_t arguments = pop(), callable = pop();
  if (node(callable).kind != PickleKind::Global) fail("calls something that has no name");
  if (node(arguments).kind != PickleKind::Tuple) fail("calls something with arguments that are not a tuple");
  pickle_.calls_.push_back({callable, arguments, Pickle::kNone});
  push_new(PickleKind::Call, std::ssize(pickle_.calls_) - 1);
}

std::uint32_t PickleMachine::top() const {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) fail("takes a value where there is none");
  return stack_.back();
}

std::uint32_t PickleMachine::pop() {
  const std::uint32_t value = top();
  stack_.pop_back();
  return value;
}

std::size_t PickleMachine::items_above_mark() {
  if (marks_.empty()) fail("takes values up to a mark, but there is none");
  const std::size_t count = stack_.size() - marks_.back();
  marks_.pop_back();
  return count;
}

void PickleMachine::append(std::uint32_t container, std::uint32_t item) {
  const auto link = static_cast<std::uint32_t>(pickle_.links_.size());
  pickle_.links_.push_back({item, Pickle::kNone});
  Node& into = node(container);
  if (into.last == Pickle::kNone) {
    into.first = link;
  } else {
    pickle_.links_[into.last].next = link;
  }
  into.last = link;
  ++into.count;
}

// To the list, dictionary or object below the uppermost count values of the stack.
void PickleMachine::add_items(std::size_t count, bool paired) {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() - floor <= count) fail("adds items to nothing");
  if (paired && count % 2 != 0) fail("has a dictionary with a key but no value");
  const std::uint32_t container = stack_[stack_.size() - count - 1];
  Node& into = node(container);
  const bool call = into.kind == PickleKind::Call && (into.count == 0 || into.paired == paired);
  if (!call && into.kind != (paired ? PickleKind::Dict : PickleKind::List)) {
    fail("adds items to what cannot hold them");
  }
  if (call && count > 0) into.paired = paired;
  for (std::size_t i = stack_.size() - count; i < stack_.size(); ++i) append(container, stack_[i]);
  stack_.resize(stack_.size() - count);
}

void PickleMachine::build() {
  const std::uint32_t state = pop(), object = top();
  if (node(object).kind != PickleKind::Call) fail("uses BUILD on something that is not an object");
  Pickle::Call& call = pickle_.calls_[static_cast<std::size_t>(node(object).value)];
  if (call.state != Pickle::kNone) fail("uses BUILD twice on one object");
  call.state = state;
}

void PickleMachine::put(std::uint64_t index) {
  if (index >= kMaxNodes)
    fail(fmt::format("remembers a value under number {}, expected less than {}", index, kMaxNodes));
  const std::uint32_t value = top();
  if (index >= memo_.size()) memo_.resize(index + 1, Pickle::kNone);
  if (memo_[index] == Pickle::kNone) ++memo_count_;
  memo_[index] = value;
}

void PickleMachine::get(std::uint64_t index) {
  if (index >= memo_.size() || memo_[index] == Pickle::kNone) {
    fail(fmt::format("recalls value {}, which it never stored", index));
  }
  push(memo_[index]);
}

std::int64_t PickleMachine::decimal(std::string_view line) const {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (problem != std::errc() || end != line.data() + line.size()) fail("has a malformed whole number");
  return value;
}

std::string_view PickleMachine::short_text(std::uint32_t index) const {
  const Node& found = pickle_.nodes_[index];
  if (found.kind != PickleKind::String || found.in_file) fail("has a name that is not a text");
  return {pickle_.text_.data() + found.value, static_cast<std::size_t>(found.length)};
}

}  // namespace chiaro
