// The bytes of a pickle, one after the other, from a file or from memory. What lies behind the end is an
// Error.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/io/input_file.hpp"

namespace chiaro {

class PickleInput {
 public:
  static constexpr std::int64_t kLongestLine = 65536;

  PickleInput(const InputFile& file, std::int64_t offset);
  PickleInput(const std::string& name, std::span<const std::byte> memory);  // memory must outlive it

  std::int64_t position() const { return start_ + next_; }  // in the file or in memory
  std::uint8_t byte();
  std::uint64_t little(int bytes);  // an unsigned number of 1 to 8 bytes, lowest first
  void append_to(std::string& text, std::int64_t count);
  void skip(std::int64_t count);
  std::string line();  // up to the next '\n', which is taken too and left out
  // Throws Error unless count more bytes are there.
  void need(std::int64_t count) const;

 private:
  void fill();

  std::string name_;
  const InputFile* file_ = nullptr;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> window_;  // the part at hand: all of the memory, or a piece of the file
  std::int64_t start_ = 0, next_ = 0;  // where the window begins, and what is next in it
};

// Python pickles as plain data: a tree of values, in the arena of one Pickle.
//
// Nothing is executed or imported. Where Python would call something, the value is a Call: the name of the callable,
// its arguments, the state and the items that would be given to the result. The reader of a format looks at these names
// and decides what they mean. Only names that the caller allows are accepted at all.
//
// All opcodes of protocols 0 to 5 that occur in data are understood; the others (INST, OBJ, EXT1, out-of-band buffers,
// ...) are refused by name. Numbers are int64, float64; whole numbers beyond that are Bytes, sets are Lists. Text and bytes of more than 64 KiB stay in the file:
// the value knows where. Work and memory are linear in the bytes read and bounded: at most a million values. Values can
// be shared and, in a hostile file, contain themselves: walk a fixed depth.
//
// Errors begin with the name of the file.
// Source: CPython's Lib/pickletools.py for the format.

// String is Python's unicode text as UTF-8; Bytes are bytes, bytearrays and the text of Python 2.
enum class PickleKind : std::uint8_t {
  None,
  Bool,
  Int,
  Float,
  String,
  Bytes,
  Tuple,
  List,
  Dict,
  Global,
  Call,
  PersistentId
};

struct PickleRules {
  // What GLOBAL and STACK_GLOBAL may name: "collections.OrderedDict"; modules by their names in Python 3 and NumPy 1.
  std::span<const std::string_view> allowed;
  // What else to say about a name that is not allowed; "" for the usual message.
  std::string (*refusal)(std::string_view name) = nullptr;
};

// What String and Bytes hold: text itself, or, in_file, bytes [offset, offset + bytes) of the source.
struct PickleData {
  bool in_file;
  std::string_view text;
  std::int64_t offset, bytes;
};

class Pickle;

// One value. A pair of pointer and index: copy it freely, as long as its Pickle lives.
// `what` names the value in messages: "<file>: <what> is a list, expected a tuple".
class PickleValue {
 public:
  PickleKind kind() const;
  bool is(PickleKind wanted) const { return kind() == wanted; }
  std::string describe() const;  // "a list", "a call of torch.device": for messages

  std::int64_t integer(std::string_view what) const;   // of Int and Bool
  std::string_view text(std::string_view what) const;  // of String and Bytes up to 64 KiB
  PickleData data(std::string_view what) const;        // of String and Bytes of any length
  std::string_view name() const;                       // of Global; "" of all others

  std::int64_t count() const;  // items of Tuple, List and Call; keys and values together of a dictionary
  std::vector<PickleValue> items() const;
  // The items of a tuple with at_least to at_most items; anything else is an Error.
  std::vector<PickleValue> tuple(std::int64_t at_least, std::int64_t at_most, std::string_view what) const;

  // dict, OrderedDict and defaultdict, however their items were set.
  bool is_dictionary() const;
  std::vector<std::pair<PickleValue, PickleValue>> entries() const;

  bool calls(std::string_view global) const;  // a Call of this name
  PickleValue callable() const;               // of Call: a Global
  PickleValue arguments() const;              // of Call: a Tuple
  std::optional<PickleValue> state() const;   // of Call: what BUILD gave it
  PickleValue id() const;                     // of PersistentId

 private:
  friend class Pickle;
  PickleValue(const Pickle& pickle, std::uint32_t index) : pickle_(&pickle), index_(index) {}
  [[noreturn]] void wrong(std::string_view what, std::string_view expected) const;

  const Pickle* pickle_;
  std::uint32_t index_;
};

// The arena. Values point into it, so it stays where it is.
class Pickle {
 public:
  // The pickle that begins at offset of file; more may follow it.
  Pickle(const InputFile& file, std::int64_t offset, const PickleRules& rules);
  // The pickle in bytes, which need not outlive the constructor. name: for messages.
  Pickle(const std::string& name, std::span<const std::byte> bytes, const PickleRules& rules);
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  PickleValue root() const { return {*this, root_}; }
  std::int64_t end() const { return end_; }  // where the pickle ends in its source: behind STOP
  std::vector<PickleValue> all(PickleKind kind) const;
  const std::string& source() const { return source_; }

 private:
  friend class PickleValue;
  friend class PickleMachine;

  static constexpr std::uint32_t kNone = 0xffffffff;
  struct Node {
    PickleKind kind = PickleKind::None;
    bool in_file = false;                       // String, Bytes
    bool paired = false;                        // Call: its items are keys and values
    std::uint32_t count = 0;                    // Tuple, List, Dict, Call
    std::uint32_t first = kNone, last = kNone;  // their items, in links_
    std::int64_t value = 0;   // Bool, Int; the bits of Float; offset of text; index of a Call or an id
    std::int64_t length = 0;  // of text
  };
  struct Link {
    std::uint32_t node, next;
  };
  struct Call {
    std::uint32_t callable, arguments, state;
  };

  std::string source_;
  std::vector<Node> nodes_;
  std::vector<Link> links_;
  std::vector<Call> calls_;
  std::string text_;
  std::uint32_t root_ = 0;
  std::int64_t end_ = 0;
};

// A name from a file for a message: shortened, without control characters.
std::string printable(std::string_view text);

}  // namespace chiaro
