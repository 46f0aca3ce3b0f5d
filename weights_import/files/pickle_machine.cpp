#include "weights_import/files/pickle_machine.hpp"

#include <bit>
#include <charconv>

#include "kernels/base/error.hpp"

namespace chiaro {

Pickle::Pickle(const InputFile& file, std::int64_t offset, const PickleRules& rules) : source_(file.name()) {
  PickleInput input(file, offset);
  PickleMachine(*this, input, rules).run();
}

Pickle::Pickle(const std::string& name, std::span<const std::byte> bytes, const PickleRules& rules)
    : source_(name) {
  PickleInput input(name, bytes);
  PickleMachine(*this, input, rules).run();
}

void PickleMachine::fail(const std::string& problem) const {
  throw Error("{}: the pickle {} (opcode at byte {}): refused", pickle_.source_, problem, opcode_at_);
}

void PickleMachine::run() {
  for (std::int64_t opcodes = 0;; ++opcodes) {
    opcode_at_ = input_.position();
    if (opcodes == kMaxOpcodes) fail(fmt::format("has more than {} opcodes", kMaxOpcodes));
    const auto opcode = static_cast<Opcode>(input_.byte());
    if (opcode == Opcode::Stop) break;
    if (step(opcode) || step_number(opcode) || step_text(opcode) || step_container(opcode) ||
        step_object(opcode) || step_memo(opcode)) {
      continue;
    }
    const std::string_view name = refused_opcode_name(opcode);
    if (name.empty()) fail(fmt::format("has the unknown opcode 0x{:02x}", static_cast<unsigned>(opcode)));
    fail(fmt::format("uses {}, which files of weights have no use for", name));
  }
  if (stack_.size() != 1 || !marks_.empty()) fail(fmt::format("ends with {} values", stack_.size()));
  pickle_.root_ = stack_[0];
  pickle_.end_ = input_.position();
}

bool PickleMachine::step(Opcode opcode) {
  switch (opcode) {
    case Opcode::Proto:
      if (const std::uint8_t version = input_.byte(); version > 5) {
        fail(fmt::format("has protocol {}, newer than 5", version));
      }
      return true;
    case Opcode::Frame:
      if (const std::uint64_t bytes = input_.little(8); bytes > INT64_MAX) {
        fail("has an endless frame");
      } else {
        input_.need(static_cast<std::int64_t>(bytes));
      }
      return true;
    case Opcode::Mark:
      if (marks_.size() == kMaxNodes) fail("has too many marks");
      marks_.push_back(stack_.size());
      return true;
    case Opcode::Pop:
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case Opcode::PopMark:
      stack_.resize(stack_.size() - items_above_mark());
      return true;
    case Opcode::Dup:
      push(top());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_number(Opcode opcode) {
  const auto integer = [&](std::int64_t value) { push_new(PickleKind::Int, value); };
  switch (opcode) {
    case Opcode::None:
      push_new(PickleKind::None);
      return true;
    case Opcode::NewTrue:
    case Opcode::NewFalse:
      push_new(PickleKind::Bool, opcode == Opcode::NewTrue);
      return true;
    case Opcode::BinInt:
      integer(static_cast<std::int32_t>(input_.little(4)));
      return true;
    case Opcode::BinInt1:
      integer(input_.byte());
      return true;
    case Opcode::BinInt2:
      integer(static_cast<std::int64_t>(input_.little(2)));
      return true;
    case Opcode::Int: {
      const std::string line = input_.line();
      if (line == "00" || line == "01") {
        push_new(PickleKind::Bool, line == "01");
      } else {
        integer(decimal(line));
      }
      return true;
    }
    case Opcode::Long: {
      std::string line = input_.line();
      if (line.ends_with('L')) line.pop_back();
      constexpr std::size_t kDigits = 19;  // of an int64
      if (line.size() > kDigits)
        push_string(PickleKind::Bytes, line);
      else
        integer(decimal(line));
      return true;
    }
    case Opcode::Long1:
    case Opcode::Long4: {
      const std::uint64_t bytes = input_.little(opcode == Opcode::Long1 ? 1 : 4);
      if (bytes == 0 || bytes > 8) {
        if (bytes == 0)
          integer(0);
        else
          push_from_input(PickleKind::Bytes, bytes);  // such as a UUID's
        return true;
      }
      const int unused = 64 - 8 * static_cast<int>(bytes);  // the shifts extend the sign
      integer(static_cast<std::int64_t>(input_.little(static_cast<int>(bytes)) << unused) >> unused);
      return true;
    }
    case Opcode::Float: {
      const std::string line = input_.line();
      double value = 0;
      const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), value);
      if (problem != std::errc() || end != line.data() + line.size()) fail("has a malformed number");
      push_float(value);
      return true;
    }
    case Opcode::BinFloat: {
      std::uint64_t bits = 0;  // highest byte first
      for (int i = 0; i < 8; ++i) bits = bits << 8 | input_.byte();
      push_float(std::bit_cast<double>(bits));
      return true;
    }
    default:
      return false;
  }
}

bool PickleMachine::step_text(Opcode opcode) {
  switch (opcode) {
    case Opcode::ShortBinString:
    case Opcode::ShortBinBytes:
      push_from_input(PickleKind::Bytes, input_.little(1));
      return true;
    case Opcode::BinString:
    case Opcode::BinBytes:
      push_from_input(PickleKind::Bytes, input_.little(4));
      return true;
    case Opcode::BinBytes8:
    case Opcode::ByteArray8:
      push_from_input(PickleKind::Bytes, input_.little(8));
      return true;
    case Opcode::ShortBinUnicode:
      push_from_input(PickleKind::String, input_.little(1));
      return true;
    case Opcode::BinUnicode:
      push_from_input(PickleKind::String, input_.little(4));
      return true;
    case Opcode::BinUnicode8:
      push_from_input(PickleKind::String, input_.little(8));
      return true;
    case Opcode::String:
    case Opcode::Unicode: {
      const bool unicode = opcode == Opcode::Unicode;
      const std::string line = input_.line();
      std::string text;
      if (!(unicode ? unescape_unicode(line, text) : unescape_string(line, text))) fail("has malformed text");
      push_string(unicode ? PickleKind::String : PickleKind::Bytes, text);
      return true;
    }
    default:
      return false;
  }
}

bool PickleMachine::step_container(Opcode opcode) {
  switch (opcode) {
    case Opcode::EmptyTuple:
      push_new(PickleKind::Tuple);
      return true;
    case Opcode::EmptyList:
    case Opcode::EmptySet:
      push_new(PickleKind::List);
      return true;
    case Opcode::EmptyDict:
      push_new(PickleKind::Dict);
      return true;
    case Opcode::Tuple1:
    case Opcode::Tuple2:
    case Opcode::Tuple3:
      push_container(PickleKind::Tuple,
                     static_cast<std::size_t>(opcode) - static_cast<std::size_t>(Opcode::Tuple1) + 1);
      return true;
    case Opcode::Tuple:
      push_container(PickleKind::Tuple, items_above_mark());
      return true;
    case Opcode::List:
    case Opcode::FrozenSet:
      push_container(PickleKind::List, items_above_mark());
      return true;
    case Opcode::Dict:
      push_container(PickleKind::Dict, items_above_mark());
      return true;
    case Opcode::Append:
      add_items(1, false);
      return true;
    case Opcode::Appends:
    case Opcode::AddItems:
      add_items(items_above_mark(), false);
      return true;
    case Opcode::SetItem:
      add_items(2, true);
      return true;
    case Opcode::SetItems:
      add_items(items_above_mark(), true);
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_object(Opcode opcode) {
  switch (opcode) {
    case Opcode::Global: {
      const std::string module = input_.line();
      push_global(module, input_.line());
      return true;
    }
    case Opcode::StackGlobal: {
      const std::string name(short_text(pop()));
      push_global(std::string(short_text(pop())), name);
      return true;
    }
    case Opcode::NewObjEx:
      if (node(pop()).kind != PickleKind::Dict) fail("calls something with names that are not a dictionary");
      push_call();
      return true;
    case Opcode::Reduce:
    case Opcode::NewObj:
      push_call();
      return true;
    case Opcode::Build:
      build();
      return true;
    case Opcode::PersId:
      push_string(PickleKind::Bytes, input_.line());
      push_new(PickleKind::PersistentId, pop());
      return true;
    case Opcode::BinPersId:
      push_new(PickleKind::PersistentId, pop());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_memo(Opcode opcode) {
  switch (opcode) {
    case Opcode::Get:
      get(static_cast<std::uint64_t>(decimal(input_.line())));
      return true;
    case Opcode::BinGet:
      get(input_.little(1));
      return true;
    case Opcode::LongBinGet:
      get(input_.little(4));
      return true;
    case Opcode::Put:
      put(static_cast<std::uint64_t>(decimal(input_.line())));
      return true;
    case Opcode::BinPut:
      put(input_.little(1));
      return true;
    case Opcode::LongBinPut:
      put(input_.little(4));
      return true;
    case Opcode::Memoize:
      put(memo_count_);
      return true;
    default:
      return false;
  }
}

}  // namespace chiaro
