// The number types of weight files and their conversion to fp32.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace chiaro {

enum class ElementType { F16, BF16, F32, F64, I8, U8, I16, I32, I64, Bool };

std::int64_t element_bytes(ElementType type);
std::string_view element_name(ElementType type);  // "float16", "bfloat16", "float32", ..., for messages

// out[i] = element i of `bytes`, little-endian unless big_endian; bytes.size() must be out.size() elements.
// F64 and integers round to the nearest float, half precision is exact. Deterministic.
void to_floats(std::span<const std::byte> bytes, ElementType type, bool big_endian, std::span<float> out);

}  // namespace chiaro
