// Tensors as PyTorch and NumPy store them: a run of numbers, of which element (i, j, ...) is number
// offset + i * strides[0] + j * strides[1] + ...
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "weights_import/files/element_type.hpp"

namespace chiaro {

struct StridedTensor {
  ElementType type = ElementType::F32;
  bool big_endian = false;
  std::vector<std::int64_t> shape, strides;  // strides in elements
  std::int64_t offset = 0;                   // in elements
};

// Row-major strides, or with the first extent fastest (NumPy's Fortran order). Extents of 0 count as 1; where
// the product overflows the strides are meaningless, and check_strided() refuses the tensor.
std::vector<std::int64_t> dense_strides(std::span<const std::int64_t> shape, bool first_fastest = false);

// Throws Error, beginning with `where`, unless all elements lie inside a run of `available` ones: negative
// extents, strides or offsets, products that overflow, more than 32 extents. A tensor may have more elements
// than its run (stride 0 repeats them), up to 2^16.
void check_strided(const std::string& where, const StridedTensor& tensor, std::int64_t available);

// Fills the span with the bytes from offset of the run on.
using ReadBytes = std::function<void(std::int64_t offset, std::span<std::byte> bytes)>;

// The elements of a checked tensor in row-major order. Dense tensors are read in pieces of 4 MB; of others
// the bytes from the first to the last element are held at once.
std::vector<float> read_strided(const StridedTensor& tensor, const ReadBytes& read);

}  // namespace chiaro
