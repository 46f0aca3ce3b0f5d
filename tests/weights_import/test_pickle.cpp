#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <string>
#include <string_view>

#include "engine/file_util.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"
#include "weights_import/files/pickle.hpp"

namespace chiaro {
namespace {

using namespace std::string_literals;
using test::contains;
using test::error_of;
using test::TemporaryFolder;

constexpr std::array<std::string_view, 2> kAllowed = {"collections.OrderedDict", "torch.Size"};
constexpr PickleRules kRules{kAllowed};

struct Parsed {
  explicit Parsed(const std::string& bytes) : pickle("p", std::as_bytes(std::span(bytes)), kRules) {}
  Pickle pickle;
  PickleValue root() const { return pickle.root(); }
};

std::string refusal(const std::string& bytes) {
  return error_of([&] { Parsed{bytes}; });
}

std::int64_t integer(const std::string& bytes) {
  return Parsed(bytes).root().integer("it");
}
std::string text(const std::string& bytes) {
  return std::string(Parsed(bytes).root().text("it"));
}

std::string little_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

TEST_CASE("pickle: numbers of all protocols") {
  CHECK(integer("K\xff.") == 255);
  CHECK(integer("M\xe9\x03.") == 1001);
  CHECK(integer("J\xfe\xff\xff\xff.") == -2);
  CHECK(integer("I-12\n.") == -12);
  CHECK(integer("L-123456789012L\n.") == -123456789012);
  CHECK(integer("\x8a\x00."s) == 0);
  CHECK(integer("\x8a\x01\xff.") == -1);
  CHECK(integer("\x8a\x02\xff\x00."s) == 255);
  CHECK(integer("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80."s) == INT64_MIN);
  CHECK(integer("\x8b\x02\x00\x00\x00\x00\x01."s) == 256);
  CHECK(Parsed("I01\n.").root().is(PickleKind::Bool));
  CHECK(integer("I01\n.") == 1);
  CHECK(integer("\x89.") == 0);
  CHECK(Parsed("F1.5\n.").root().is(PickleKind::Float));
  CHECK(Parsed("G\x3f\xf8\x00\x00\x00\x00\x00\x00."s).root().is(PickleKind::Float));
  CHECK(Parsed("N.").root().is(PickleKind::None));
  CHECK(contains(error_of([] { integer("\x8a\x09" + "123456789."s); }),
                 "it is bytes, expected a whole number"));
  CHECK(contains(error_of([] { integer("L99999999999999999999L\n."); }),
                 "it is bytes, expected a whole number"));
  CHECK(contains(refusal("I12x\n."), "malformed whole number"));
  CHECK(contains(refusal("I99999999999999999999\n."), "malformed whole number"));
}

TEST_CASE("pickle: text and bytes of all protocols") {
  CHECK(text("U\x02"
             "ab.") == "ab");
  CHECK(text("T" + little_endian(2, 4) + "ab.") == "ab");
  CHECK(text("S'a\\n\\x41\\\\'\n.") == "a\nA\\");
  CHECK(text("S\"it's\"\n.") == "it's");
  CHECK(text("V\\u00e9\\U0001f600\xe9\n.") == "\xc3\xa9\xf0\x9f\x98\x80\xc3\xa9");
  CHECK(text("X" + little_endian(2, 4) + "ab.") == "ab");
  CHECK(text("\x8c\x02"
             "ab.") == "ab");
  CHECK(text("\x8d" + little_endian(2, 8) + "ab.") == "ab");
  for (const std::string& bytes :
       {"B" + little_endian(2, 4), "C\x02"s, "\x8e" + little_endian(2, 8), "\x96" + little_endian(2, 8)}) {
    CHECK(text(bytes + "ab.") == "ab");
    CHECK(Parsed(bytes + "ab.").root().is(PickleKind::Bytes));
  }
  CHECK(Parsed("X" + little_endian(0, 4) + ".").root().is(PickleKind::String));
  CHECK(contains(refusal("S'a\n."), "malformed text"));
  CHECK(contains(refusal("V\\u00g0\n."), "malformed text"));
  CHECK(contains(refusal("\x8d" + little_endian(UINT64_MAX, 8) + "ab."), "endless text"));
  CHECK(contains(refusal("\x8d" + little_endian(INT64_MAX, 8) + "ab."), "the pickle ends after 12 bytes"));
  CHECK(contains(refusal("S" + std::string(70000, 'a')), "a line of more than 65536 bytes"));
}

TEST_CASE("pickle: containers, the memo and marks") {
  const Parsed list(
      "](K\x01K\x02"
      "eK\x03"
      "a.");
  REQUIRE(list.root().is(PickleKind::List));
  CHECK(list.root().count() == 3);
  CHECK(list.root().items()[2].integer("it") == 3);
  const Parsed dictionary(
      "}(U\x01"
      "aK\x01U\x01"
      "bK\x02uU\x01"
      "cK\x03s.");
  REQUIRE(dictionary.root().is_dictionary());
  REQUIRE(dictionary.root().entries().size() == 3);
  CHECK(dictionary.root().entries()[1].first.text("key") == "b");
  CHECK(dictionary.root().entries()[2].second.integer("value") == 3);
  CHECK(Parsed("(K\x01K\x02"
               "d.")
            .root()
            .entries()
            .size() == 1);
  CHECK(Parsed("(K\x01K\x02K\x03"
               "l.")
            .root()
            .count() == 3);
  CHECK(Parsed(").").root().tuple(0, 0, "it").empty());
  CHECK(Parsed("K\x01K\x02K\x03\x87.").root().tuple(3, 3, "it")[0].integer("it") == 1);
  CHECK(Parsed("K\x05K\x06K\x07\x86\x86.").root().tuple(2, 2, "it")[1].tuple(2, 2, "it")[1].integer("it") ==
        7);

  // 5, stored in the memo and recalled.
  for (const std::string& through :
       {"q\x00h\x00"s, "r\x04\x01\x00\x00j\x04\x01\x00\x00"s, "p7\ng7\n"s, "\x94h\x00"s, "q\x09\x94h\x01"s}) {
    CHECK(Parsed("K\x05" + through + "\x86.").root().tuple(2, 2, "it")[1].integer("it") == 5);
  }
  CHECK(integer("K\x05(K\x01K\x02"
                "1.") == 5);
  CHECK(integer("K\x05(0.") == 5);
  CHECK(Parsed("K\x05"
               "2\x86.")
            .root()
            .tuple(2, 2, "it")[0]
            .integer("it") == 5);

  // A list that contains itself is a value like any other.
  const Parsed cycle(
      "]q\x00h\x00"
      "a."s);
  CHECK(cycle.root().items()[0].items()[0].count() == 1);

  for (const std::string& set : {"\x8f(K\x01K\x02\x90."s, "(K\x01K\x02\x91."s})
    CHECK(Parsed(set).root().items()[1].integer("it") == 2);

  CHECK(contains(refusal("h\x03."), "recalls value 3, which it never stored"));
  CHECK(contains(refusal("K\x01r\xff\xff\xff\xff."), "remembers a value under number 4294967295"));
  CHECK(contains(refusal("K\x01p-1\n."), "remembers a value under number"));
  CHECK(contains(refusal("}(K\x01u."), "a key but no value"));
  CHECK(contains(refusal("K\x01K\x02"
                         "a."),
                 "adds items to what cannot hold them"));
  CHECK(contains(refusal("K\x01K\x02K\x03s."), "adds items to what cannot hold them"));
  CHECK(contains(refusal("K\x01"
                         "a."),
                 "adds items to nothing"));
  CHECK(contains(refusal("]e."), "up to a mark, but there is none"));
  CHECK(contains(refusal("K\x01(\x85."), "more values than there are"));
  CHECK(contains(refusal("0."), "takes a value where there is none"));
  CHECK(contains(refusal("."), "ends with 0 values"));
  CHECK(contains(refusal("K\x01K\x02."), "ends with 2 values"));
}

TEST_CASE("pickle: objects are named, never made") {
  const Parsed size("ctorch\nSize\nK\x02\x85\x85R.");
  REQUIRE(size.root().calls("torch.Size"));
  CHECK(size.root().arguments().tuple(1, 1, "it")[0].tuple(1, 1, "it")[0].integer("it") == 2);
  CHECK(!size.root().state());
  CHECK(Parsed("\x8c\x05torch\x8c\x04Size\x93)\x81.").root().calls("torch.Size"));
  CHECK(Parsed("ctorch\nSize\n)}\x92.").root().calls("torch.Size"));
  CHECK(contains(refusal("ctorch\nSize\n))\x92."), "calls something with names that are not a dictionary"));

  const Parsed ordered(
      "ccollections\nOrderedDict\n)R(U\x01"
      "aK\x01u}b.");
  REQUIRE(ordered.root().is_dictionary());
  CHECK(ordered.root().entries()[0].second.integer("it") == 1);
  CHECK(ordered.root().state()->is_dictionary());
  const Parsed python2(
      "ccollections\nOrderedDict\n](](U\x01"
      "aK\x01"
      "ee\x85R.");
  REQUIRE(python2.root().entries().size() == 1);
  CHECK(python2.root().entries()[0].first.text("it") == "a");

  CHECK(Parsed("U\x01kQ.").root().id().text("it") == "k");
  CHECK(Parsed("Pkey\n.").root().id().text("it") == "key");
  CHECK(Parsed("U\x01kQU\x01lQ\x86.").pickle.all(PickleKind::PersistentId).size() == 2);

  CHECK(refusal("cposix\nsystem\nU\x04true\x85R.") ==
        "p: the pickle wants posix.system, which a weights file has no use for: refused");
  CHECK(contains(refusal("\x8c\x05posix\x8c\x06system\x93."), "wants posix.system"));
  CHECK(contains(refusal("cpo\x1bsix\nsys\x07tem\n."), "wants po?six.sys?tem,"));
  CHECK(contains(refusal("K\x01)R."), "calls something that has no name"));
  CHECK(contains(refusal("ctorch\nSize\nK\x01R."), "arguments that are not a tuple"));
  CHECK(contains(refusal("]}b."), "uses BUILD on something that is not an object"));
  CHECK(contains(refusal("ctorch\nSize\n)R}b}b."), "uses BUILD twice"));
  CHECK(contains(refusal("ctorch\nSize\n)RK\x01"
                         "aK\x01K\x02s."),
                 "adds items to what cannot hold them"));
  CHECK(contains(refusal("K\x01K\x02\x93."), "a name that is not a text"));
}

TEST_CASE("pickle: opcodes without use are refused by name") {
  const std::pair<std::string, std::string> opcodes[] = {{"(i", "INST"},
                                                         {"(o", "OBJ"},
                                                         {"\x82\x01", "EXT1"},
                                                         {"\x83\x01", "EXT2"},
                                                         {"\x84\x01", "EXT4"},
                                                         {"\x97", "NEXT_BUFFER"},
                                                         {"K\x01\x98", "READONLY_BUFFER"}};
  for (const auto& [bytes, name] : opcodes) {
    CHECK(contains(refusal(bytes + "."), "uses " + name + ", which files of weights have no use for"));
  }
  CHECK(refusal("K\x01\xff.") == "p: the pickle has the unknown opcode 0xff (opcode at byte 2): refused");
  CHECK(contains(refusal("\x80\x06."), "has protocol 6, newer than 5"));
  CHECK(contains(refusal("\x95" + little_endian(100, 8) + "K\x01."), "the pickle ends after 12 bytes"));
  CHECK(integer("\x80\x04\x95" + little_endian(3, 8) + "K\x01.") == 1);
}

TEST_CASE("pickle: limits hold for values, the stack, marks and opcodes") {
  CHECK(contains(refusal(std::string(1000001, 'N')), "has more than 1000000 values"));
  CHECK(contains(refusal("N" + std::string(1000001, '2')), "stacks more than 1000000 values"));
  CHECK(contains(refusal(std::string(1000001, '(')), "has too many marks"));
  std::string pops = "N";
  for (int i = 0; i < 2000000; ++i) pops += "20";
  CHECK(contains(refusal(pops), "has more than 4000000 opcodes"));
}

TEST_CASE("pickle: long texts stay in the file, and pickles follow each other") {
  const TemporaryFolder folder;
  const std::string long_text(100000, 'z');
  const std::string first = "\x80\x02X" + little_endian(long_text.size(), 4) + long_text +
                            "U\x03"
                            "abc\x86.";
  write_text(folder / "two", "lead" + first + "K\x07.");
  const InputFile file(folder / "two");
  const Pickle pickle(file, 4, kRules);
  const std::vector<PickleValue> both = pickle.root().tuple(2, 2, "it");
  const PickleData data = both[0].data("it");
  CHECK(data.in_file);
  CHECK(data.offset == 4 + 2 + 5);
  CHECK(data.bytes == 100000);
  CHECK(both[1].text("it") == "abc");
  CHECK(contains(error_of([&] { both[0].text("the name"); }),
                 ": the name is 100000 bytes long, expected a short text"));
  CHECK(pickle.end() == 4 + std::ssize(first));
  const Pickle second(file, pickle.end(), kRules);
  CHECK(second.root().integer("it") == 7);
  CHECK(second.end() == file.bytes());
  CHECK(contains(error_of([&] { Pickle(file, second.end(), kRules); }), "ends after"));
  CHECK(contains(error_of([&] { both[1].integer("a size"); }), ": a size is bytes, expected a whole number"));
  CHECK(
      contains(error_of([&] { pickle.root().tuple(3, 4, "it"); }), ": it is a tuple of 2, expected 3 to 4"));
}

}  // namespace
}  // namespace chiaro
