#include "weights_import/files/element_type.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <iterator>

#include "engine/io/half.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

static_assert(std::endian::native == std::endian::little);

template <class Stored, class Convert>
void convert(std::span<const std::byte> bytes, bool big_endian, std::span<float> out, Convert to_float) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::array<std::byte, sizeof(Stored)> raw;
    std::memcpy(raw.data(), bytes.data() + i * sizeof(Stored), sizeof(Stored));
    if (big_endian) std::reverse(raw.begin(), raw.end());
    out[i] = to_float(std::bit_cast<Stored>(raw));
  }
}

}  // namespace

std::int64_t element_bytes(ElementType type) {
  switch (type) {
    case ElementType::F64:
    case ElementType::I64:
      return 8;
    case ElementType::F32:
    case ElementType::I32:
      return 4;
    case ElementType::F16:
    case ElementType::BF16:
    case ElementType::I16:
      return 2;
    case ElementType::I8:
    case ElementType::U8:
    case ElementType::Bool:
      break;
  }
  return 1;
}

std::string_view element_name(ElementType type) {
  constexpr std::string_view kNames[] = {"float16", "bfloat16", "float32", "float64", "int8",
                                         "uint8",   "int16",    "int32",   "int64",   "bool"};
  return kNames[static_cast<std::size_t>(type)];
}

void to_floats(std::span<const std::byte> bytes, ElementType type, bool big_endian, std::span<float> out) {
  require(std::ssize(bytes) == std::ssize(out) * element_bytes(type),
          "to_floats: {} bytes for {} numbers of type {}", bytes.size(), out.size(), element_name(type));
  const auto cast = [](auto value) { return static_cast<float>(value); };
  switch (type) {
    case ElementType::F16:
      return convert<std::uint16_t>(bytes, big_endian, out, half_to_float);
    case ElementType::BF16:
      return convert<std::uint16_t>(bytes, big_endian, out, [](std::uint16_t bits) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
      });
    case ElementType::F32:
      if (!big_endian) {
        std::memcpy(out.data(), bytes.data(), bytes.size());
        return;
      }
      return convert<float>(bytes, big_endian, out, cast);
    case ElementType::F64:
      return convert<double>(bytes, big_endian, out, cast);
    case ElementType::I8:
      return convert<std::int8_t>(bytes, big_endian, out, cast);
    case ElementType::U8:
    case ElementType::Bool:
      return convert<std::uint8_t>(bytes, big_endian, out, cast);
    case ElementType::I16:
      return convert<std::int16_t>(bytes, big_endian, out, cast);
    case ElementType::I32:
      return convert<std::int32_t>(bytes, big_endian, out, cast);
    case ElementType::I64:
      return convert<std::int64_t>(bytes, big_endian, out, cast);
  }
}

}  // namespace chiaro
