#include "weights_import/files/numpy_array.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "engine/io/h5_file.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr std::string_view kAllowed[] = {"numpy.ndarray",
                                         "numpy.dtype",
                                         "numpy.core.multiarray._reconstruct",
                                         "numpy._core.multiarray._reconstruct",
                                         "numpy.core.multiarray.scalar",
                                         "numpy._core.multiarray.scalar",
                                         "numpy.core.numeric._frombuffer",
                                         "numpy._core.numeric._frombuffer",
                                         "collections.OrderedDict",
                                         "collections.defaultdict",
                                         "_codecs.encode",
                                         "__builtin__.bytes",
                                         "__builtin__.dict",
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

}  // namespace chiaro
