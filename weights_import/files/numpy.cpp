#include "weights_import/files/numpy.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine/io/h5_file.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/files/pickle.hpp"

namespace chiaro {

namespace {

constexpr std::int64_t kLongestHeader = 65536;
constexpr std::size_t kMaxExtents = 32;

// Reads the literal from left to right.
class Literal {
 public:
  Literal(std::string_view text, const std::string& file) : rest_(text), file_(file) {}

  NumpyHeader parse() {
    NumpyHeader header;
    std::set<std::string, std::less<>> keys;
    expect('{');
    while (!accept('}')) {
      const std::string key = text();
      if (!keys.insert(key).second) fail("has the key '" + printable(key) + "' twice");
      expect(':');
      if (key == "descr") {
        if (peek() != '\'' && peek() != '"') fail("has a structured type, expected plain numbers or objects");
        header.descr = text();
      } else if (key == "fortran_order") {
        header.fortran_order = boolean();
      } else if (key == "shape") {
        header.shape = shape();
      } else {
        fail("has the unknown key '" + printable(key) + "'");
      }
      if (accept('}')) break;
      expect(',');
    }
    if (keys.size() != 3) fail("lacks descr, fortran_order or shape");
    skip_space();
    if (!rest_.empty()) fail("goes on behind its dictionary");
    return header;
  }

 private:
  void skip_space() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }

  char peek() {
    skip_space();
    return rest_.empty() ? '\0' : rest_[0];
  }

  bool accept(char c) {
    if (peek() != c || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c))
      fail(fmt::format("is malformed: expected '{}' before '{}'", c, printable(rest_.substr(0, 20))));
  }

  std::string text() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("is malformed: expected a quoted text");
    const std::size_t end = rest_.find(quote, 1);
    if (end == rest_.npos) fail("is malformed: a text has no end");
    const std::string found(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return found;
  }

  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(std::string_view(word).size());
      return value;
    }
    fail("has a fortran_order that is neither True nor False");
  }

  std::vector<std::int64_t> shape() {
    std::vector<std::int64_t> extents;
    expect('(');
    while (!accept(')')) {
      if (extents.size() == kMaxExtents) fail(fmt::format("has more than {} extents", kMaxExtents));
      extents.push_back(extent());
      if (accept(')')) break;
      expect(',');
    }
    return extents;
  }

  std::int64_t extent() {
    skip_space();
    std::int64_t value = 0;
    const auto [end, problem] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (problem != std::errc() || value < 0) fail("is malformed: expected an extent");
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    if (!rest_.empty() && rest_[0] == 'L') rest_.remove_prefix(1);  // Python 2
    return value;
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error("{}: the header of the .npy file {}", file_, problem);
  }

  std::string_view rest_;
  const std::string& file_;
};

}  // namespace

NumpyHeader read_numpy_header(const InputFile& input) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  std::array<unsigned char, 12> head{};
  input.read(0, std::as_writable_bytes(std::span(head).first(8)), "the header of a .npy file");
  if (std::string_view(reinterpret_cast<const char*>(head.data()), kMagic.size()) != kMagic) {
    throw Error("{}: is not a NumPy .npy file", input.name());
  }
  const int major = head[6], minor = head[7];
  if (major < 1 || major > 3 || minor != 0) {
    throw Error("{}: is a .npy file of version {}.{}, expected 1.0, 2.0 or 3.0", input.name(), major, minor);
  }
  const std::int64_t size_bytes = major == 1 ? 2 : 4;
  const auto size = std::span(head).subspan(8, static_cast<std::size_t>(size_bytes));
  input.read(8, std::as_writable_bytes(size), "the header of a .npy file");
  std::int64_t length = 0;
  for (std::size_t i = size.size(); i-- > 0;) length = length << 8 | size[i];
  if (length > kLongestHeader) {
    throw Error("{}: the header of the .npy file has {} bytes, expected at most {}: the file is damaged",
                input.name(), length, kLongestHeader);
  }
  const std::int64_t begin = 8 + size_bytes;
  input.check_range(begin, length, "the header of a .npy file");
  std::string text(static_cast<std::size_t>(length), '\0');
  input.read(begin, std::as_writable_bytes(std::span(text)), "the header of a .npy file");
  NumpyHeader header = Literal(text, input.name()).parse();
  header.data_offset = begin + length;
  return header;
}

namespace {

constexpr std::string_view kAllowed[] = {"numpy.ndarray",
                                         "numpy.dtype",
                                         "numpy.core.multiarray._reconstruct",
                                         "numpy.core.multiarray.scalar",
                                         "numpy.core.numeric._frombuffer",
                                         "collections.OrderedDict",
                                         "collections.defaultdict",
                                         "_codecs.encode",
                                         "builtins.bytes",
                                         "builtins.dict"};

// Under its name before and since NumPy 2.
bool calls_numpy(const PickleValue& value, const std::string& function) {
  return value.calls("numpy.core." + function) || value.calls("numpy._core." + function);
}
bool is_reconstruct(const PickleValue& value) {
  return calls_numpy(value, "multiarray._reconstruct");
}
bool is_scalar(const PickleValue& value) {
  return calls_numpy(value, "multiarray.scalar");
}
bool is_frombuffer(const PickleValue& value) {
  return calls_numpy(value, "numeric._frombuffer");
}

struct TypeName {
  std::string_view name;
  ElementType type;
};
constexpr TypeName kTypes[] = {{"f2", ElementType::F16}, {"f4", ElementType::F32}, {"f8", ElementType::F64},
                               {"i1", ElementType::I8},  {"u1", ElementType::U8},  {"i2", ElementType::I16},
                               {"i4", ElementType::I32}, {"i8", ElementType::I64}, {"b1", ElementType::Bool}};

std::string_view type_name(const PickleValue& dtype, const std::string& what) {
  if (!dtype.calls("numpy.dtype")) return "";
  return dtype.arguments().tuple(1, 3, "the type of " + what)[0].text("the type of " + what);
}

void parse_dtype(const PickleValue& dtype, StridedTensor& layout, const std::string& what,
                 const std::string& file) {
  const std::string_view name = type_name(dtype, what);
  const auto* known = std::find_if(std::begin(kTypes), std::end(kTypes),
                                   [&](const TypeName& candidate) { return candidate.name == name; });
  if (known == std::end(kTypes)) {
    throw Error("{}: array {} has the type '{}', expected f2, f4, f8, i1, i2, i4, i8, u1 or b1", file, what,
                printable(name));
  }
  layout.type = known->type;
  if (!dtype.state()) return;
  const std::string_view order = dtype.state()->tuple(2, 12, "the type of " + what)[1].text("the byte order");
  if (order != "<" && order != ">" && order != "|" && order != "=") {
    throw Error("{}: array {} has the byte order '{}', expected one of < > | =", file, what,
                printable(order));
  }
  layout.big_endian = order == ">";
}

void parse_shape(const PickleValue& shape, StridedTensor& layout, bool fortran, const std::string& what) {
  for (const PickleValue& extent : shape.tuple(0, 32, "the shape of " + what)) {
    layout.shape.push_back(extent.integer("the shape of " + what));
  }
  layout.strides = dense_strides(layout.shape, fortran);
}

void parse_bytes(const PickleValue& bytes, NumpyArray& array, const std::string& what,
                 const std::string& file) {
  if (bytes.is(PickleKind::Bytes)) {
    array.data = bytes.data(what);
  } else if (bytes.calls("__builtin__.bytes") && bytes.arguments().count() == 0) {
    array.data = {};
  } else if (bytes.calls("_codecs.encode")) {
    const std::vector<PickleValue> arguments = bytes.arguments().tuple(2, 2, "the values of " + what);
    const std::string_view encoding = arguments[1].text("the encoding of " + what);
    if (!arguments[0].is(PickleKind::String) || (encoding != "latin1" && encoding != "latin-1")) {
      throw Error("{}: the values of array {} are {} encoded as '{}', expected text as latin1", file, what,
                  arguments[0].describe(), printable(encoding));
    }
    array.data = arguments[0].data(what);
    array.latin1 = true;
  } else {
    throw Error("{}: the values of array {} are {}, expected bytes", file, what, bytes.describe());
  }
}

// Of a checked array.
std::int64_t bytes_of(const StridedTensor& layout) {
  std::int64_t count = 1;
  for (const std::int64_t extent : layout.shape) count *= extent;
  return count * element_bytes(layout.type);
}

void check_array(const NumpyArray& array, const std::string& what, const std::string& file) {
  const std::int64_t bytes = array.data.bytes;
  check_strided(fmt::format("{}: array {}", file, what), array.layout,
                bytes / element_bytes(array.layout.type));
  const std::int64_t wanted = bytes_of(array.layout);
  const bool fits = array.latin1 ? wanted <= bytes && bytes <= 2 * wanted : wanted == bytes;
  if (!fits) {
    throw Error("{}: array {} has shape {} of {}, but {} bytes: the file is damaged", file, what,
                shape_text(array.layout.shape), element_name(array.layout.type), bytes);
  }
}

void read_data(const PickleData& data, const InputFile& input, std::int64_t offset, std::span<std::byte> out,
               const std::string& what) {
  if (data.in_file) {
    input.read(data.offset + offset, out, what.c_str());
  } else if (!out.empty()) {
    std::memcpy(out.data(), data.text.data() + offset, out.size());
  }
}

// The `wanted` bytes whose Latin-1 characters are in the file as UTF-8.
std::vector<std::byte> decode_latin1(const NumpyArray& array, std::int64_t wanted, const InputFile& input,
                                     const std::string& what) {
  std::vector<std::byte> decoded;
  decoded.reserve(static_cast<std::size_t>(wanted));
  std::array<std::byte, 65536> piece;
  unsigned lead = 0;
  for (std::int64_t offset = 0; offset < array.data.bytes; offset += std::ssize(piece)) {
    const auto part = std::span(piece).first(
        static_cast<std::size_t>(std::min(std::ssize(piece), array.data.bytes - offset)));
    read_data(array.data, input, offset, part, what);
    for (const std::byte raw : part) {
      const unsigned c = std::to_integer<unsigned>(raw);
      const bool expected = lead != 0 ? (c & 0xc0) == 0x80 : c < 0x80 || c == 0xc2 || c == 0xc3;
      if (!expected || std::ssize(decoded) == wanted) {
        throw Error("{}: array {} is not the Latin-1 text of {} bytes: the file is damaged", input.name(),
                    what, wanted);
      }
      if (lead == 0 && c >= 0x80) {
        lead = c;
        continue;
      }
      decoded.push_back(static_cast<std::byte>(lead != 0 ? (lead & 3) << 6 | (c & 63) : c));
      lead = 0;
    }
  }
  if (lead != 0 || std::ssize(decoded) != wanted) {
    throw Error("{}: array {} has {} bytes, expected {}: the file is damaged", input.name(), what,
                decoded.size(), wanted);
  }
  return decoded;
}

}  // namespace

PickleRules numpy_pickle_rules() {
  return {kAllowed};
}

bool is_numpy_array(const PickleValue& value) {
  return is_reconstruct(value) || is_scalar(value) || is_frombuffer(value);
}

NumpyArray parse_numpy_array(const PickleValue& value, const std::string& what, const std::string& file) {
  NumpyArray array{};
  if (is_scalar(value)) {  // (dtype, bytes)
    const std::vector<PickleValue> arguments = value.arguments().tuple(2, 2, what);
    parse_dtype(arguments[0], array.layout, what, file);
    parse_bytes(arguments[1], array, what, file);
  } else if (is_frombuffer(value)) {  // (bytes, dtype, shape, order)
    const std::vector<PickleValue> arguments = value.arguments().tuple(4, 4, what);
    parse_dtype(arguments[1], array.layout, what, file);
    parse_shape(arguments[2], array.layout, arguments[3].text("the order of " + what) == "F", what);
    parse_bytes(arguments[0], array, what, file);
  } else {
    if (!value.state()) throw Error("{}: array {} has no values", file, what);
    const std::vector<PickleValue> state = value.state()->tuple(5, 5, what);
    parse_dtype(state[2], array.layout, what, file);
    parse_shape(state[1], array.layout, state[3].integer("the order of " + what) != 0, what);
    parse_bytes(state[4], array, what, file);
  }
  check_array(array, what, file);
  return array;
}

std::optional<PickleValue> object_in_array(const PickleValue& value) {
  if (!is_reconstruct(value) || !value.state()) return {};
  const std::vector<PickleValue> state = value.state()->tuple(5, 5, "the array of objects");
  const bool one = state[1].is(PickleKind::Tuple) && state[1].count() == 0;
  if (!one || !type_name(state[2], "the array of objects").starts_with('O')) return {};
  if (!state[4].is(PickleKind::List) || state[4].count() != 1) return {};
  return state[4].items()[0];
}

std::vector<float> read_numpy_array(const NumpyArray& array, const InputFile& input,
                                    const std::string& what) {
  if (!array.latin1) {
    return read_strided(array.layout, [&](std::int64_t offset, std::span<std::byte> bytes) {
      read_data(array.data, input, offset, bytes, what);
    });
  }
  const std::vector<std::byte> decoded = decode_latin1(array, bytes_of(array.layout), input, what);
  return read_strided(array.layout, [&](std::int64_t offset, std::span<std::byte> bytes) {
    std::memcpy(bytes.data(), decoded.data() + offset, bytes.size());
  });
}

namespace {

constexpr std::size_t kMaxTensors = 20000, kLongestName = 500;
constexpr std::string_view kExpected =
    "expected a dictionary of arrays, saved with np.save(path, {layer: {name: "
    "array}})";

// Where the pickle of the one object begins.
std::int64_t find_pickle(const InputFile& input) {
  const NumpyHeader header = read_numpy_header(input);
  if (header.descr != "|O" && header.descr != "O") {
    throw Error("{}: is a plain array of type '{}' and shape {}, {}", input.name(), printable(header.descr),
                shape_text(header.shape), kExpected);
  }
  if (!header.shape.empty()) {
    throw Error("{}: is an array of objects of shape {}, {}", input.name(), shape_text(header.shape),
                kExpected);
  }
  return header.data_offset;
}

class NumpyDictionary : public TensorFile {
 public:
  explicit NumpyDictionary(std::unique_ptr<InputFile> input)
      : TensorFile(input->name(), "NumPy dictionary", input->bytes()),
        input_(std::move(input)),
        pickle_(*input_, find_pickle(*input_), numpy_pickle_rules()) {
    const PickleValue root = object_in_array(pickle_.root()).value_or(pickle_.root());
    if (!root.is_dictionary()) throw Error("{}: holds {}, {}", file(), root.describe(), kExpected);
    for (const auto& [key, value] : root.entries()) {
      const std::string layer = name_of(key, "the name of a layer");
      if (is_numpy_array(value)) {
        add(layer, value);
      } else if (value.is_dictionary()) {
        for (const auto& [parameter, array] : value.entries()) {
          add(fmt::format("{}/{}", layer, name_of(parameter, "the name of a parameter")), array);
        }
      } else {
        throw Error("{}: layer '{}' is {}, {}", file(), printable(layer), value.describe(), kExpected);
      }
    }
    if (tensors_.empty()) throw Error("{}: holds a dictionary without arrays, {}", file(), kExpected);
  }

 protected:
  std::vector<float> read_values(std::size_t index) const override {
    return read_numpy_array(arrays_.at(index), *input_, "'" + printable(tensors_[index].name) + "'");
  }

 private:
  std::string name_of(const PickleValue& key, std::string_view what) const {
    const std::string_view name = key.text(what);
    if (name.size() > kLongestName) throw Error("{}: {} has more than {} bytes", file(), what, kLongestName);
    return std::string(name);
  }

  void add(const std::string& name, const PickleValue& value) {
    if (!is_numpy_array(value)) {
      throw Error("{}: '{}' is {}, expected an array", file(), printable(name), value.describe());
    }
    if (tensors_.size() == kMaxTensors) throw Error("{}: holds more than {} arrays", file(), kMaxTensors);
    if (!names_.insert(name).second) throw Error("{}: holds two arrays '{}'", file(), printable(name));
    arrays_.push_back(parse_numpy_array(value, "'" + printable(name) + "'", file()));
    tensors_.push_back({name, arrays_.back().layout.shape, arrays_.back().layout.type});
  }

  std::unique_ptr<InputFile> input_;
  Pickle pickle_;
  std::vector<NumpyArray> arrays_;
  std::unordered_set<std::string> names_;
};

}  // namespace

std::unique_ptr<TensorFile> open_numpy_dictionary(std::unique_ptr<InputFile> input) {
  return std::make_unique<NumpyDictionary>(std::move(input));
}

}  // namespace chiaro
