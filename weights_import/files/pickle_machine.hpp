// The stack machine that turns the opcodes of one pickle into the values of a Pickle. Used by Pickle only.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weights_import/files/pickle.hpp"
#include "weights_import/files/pickle_opcodes.hpp"

namespace chiaro {

class PickleMachine {
 public:
  static constexpr std::size_t kMaxNodes = 1000000;  // also of the stack and of the memo
  static constexpr std::int64_t kMaxOpcodes = 4000000;
  static constexpr std::int64_t kLongestText = 65536;  // longer ones stay in the file

  PickleMachine(Pickle& pickle, PickleInput& input, const PickleRules& rules)
      : pickle_(pickle), input_(input), rules_(rules) {}

  // Up to and with STOP.
  void run();

 private:
  using Node = Pickle::Node;

  bool step(Opcode opcode);  // false: not an opcode of this group
  bool step_number(Opcode opcode);
  bool step_text(Opcode opcode);
  bool step_container(Opcode opcode);
  bool step_object(Opcode opcode);
  bool step_memo(Opcode opcode);

  std::uint32_t add(Node node);
  void push(std::uint32_t node);
  void push_new(PickleKind kind, std::int64_t value = 0);
  void push_float(double value);
  void push_string(PickleKind kind, std::string_view text);
  void push_from_input(PickleKind kind, std::uint64_t length);
  void push_container(PickleKind kind, std::size_t count);
  void push_global(std::string_view module, std::string_view name);
  void push_call();

  std::uint32_t pop();
  std::uint32_t top() const;
  std::size_t items_above_mark();  // takes the mark away
  void append(std::uint32_t container, std::uint32_t item);
  void add_items(std::size_t count, bool paired);
  void build();
  void put(std::uint64_t index);
  void get(std::uint64_t index);

  std::int64_t decimal(std::string_view line) const;
  std::string_view short_text(std::uint32_t node) const;
  Node& node(std::uint32_t index) { return pickle_.nodes_[index]; }
  [[noreturn]] void fail(const std::string& problem) const;

  Pickle& pickle_;
  PickleInput& input_;
  const PickleRules& rules_;
  std::vector<std::uint32_t> stack_, memo_;
  std::vector<std::size_t> marks_;  // sizes of the stack
  std::size_t memo_count_ = 0;
  std::int64_t opcode_at_ = 0;
};

// The text between the quotes of a STRING's line: Python's repr() of bytes, or the line of a UNICODE opcode
// in "raw-unicode-escape", as UTF-8. False: malformed.
bool unescape_string(std::string_view line, std::string& bytes);
bool unescape_unicode(std::string_view line, std::string& utf8);

}  // namespace chiaro
