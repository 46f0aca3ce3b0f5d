#include "weights_import/files/pickle_strided.hpp"

#include <algorithm>
#include <cstring>

#include "engine/io/h5_file.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kReadAtOnce = 4 << 20;
constexpr std::int64_t kMaxRepeated = 1 << 16;
constexpr std::size_t kHighestRank = 32;

std::int64_t count_of(const StridedTensor& tensor) {
  std::int64_t count = 1;
  for (const std::int64_t extent : tensor.shape) count *= extent;
  return count;
}

// Index of the last element minus that of the first, of a checked tensor.
std::int64_t last_of(const StridedTensor& tensor) {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) last += (tensor.shape[i] - 1) * tensor.strides[i];
  return last;
}

bool is_dense(const StridedTensor& tensor) {
  const std::vector<std::int64_t> dense = dense_strides(tensor.shape);
  for (std::size_t i = 0; i < dense.size(); ++i) {
    if (tensor.shape[i] > 1 && tensor.strides[i] != dense[i]) return false;
  }
  return true;
}

void read_dense(const StridedTensor& tensor, const ReadBytes& read, std::span<float> values) {
  const std::int64_t bytes = element_bytes(tensor.type), piece = kReadAtOnce / bytes;
  std::vector<std::byte> raw(static_cast<std::size_t>(std::min(piece, std::ssize(values)) * bytes));
  for (std::int64_t first = 0; first < std::ssize(values); first += piece) {
    const std::int64_t count = std::min(piece, std::ssize(values) - first);
    const auto part = std::span(raw).first(static_cast<std::size_t>(count * bytes));
    read((tensor.offset + first) * bytes, part);
    to_floats(part, tensor.type, tensor.big_endian,
              values.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)));
  }
}

void read_scattered(const StridedTensor& tensor, const ReadBytes& read, std::span<float> values) {
  const std::int64_t bytes = element_bytes(tensor.type), piece = kReadAtOnce / bytes;
  std::vector<std::byte> raw(static_cast<std::size_t>((last_of(tensor) + 1) * bytes));
  read(tensor.offset * bytes, raw);
  std::vector<std::byte> ordered(static_cast<std::size_t>(std::min(piece, std::ssize(values)) * bytes));
  std::vector<std::int64_t> strides = tensor.strides, index(tensor.shape.size(), 0);
  for (std::size_t i = 0; i < strides.size(); ++i) {
    if (tensor.shape[i] == 1) strides[i] = 0;  // an unused stride may be anything
  }
  std::int64_t from = 0, gathered = 0, done = 0;
  while (done < std::ssize(values)) {
    std::memcpy(ordered.data() + gathered * bytes, raw.data() + from * bytes,
                static_cast<std::size_t>(bytes));
    ++gathered;
    for (std::size_t i = index.size(); i-- > 0;) {  // the next index in row-major order
      from += strides[i];
      if (++index[i] < tensor.shape[i]) break;
      from -= index[i] * strides[i];
      index[i] = 0;
    }
    if (gathered == piece || done + gathered == std::ssize(values)) {
      to_floats(std::span(ordered).first(static_cast<std::size_t>(gathered * bytes)), tensor.type,
                tensor.big_endian,
                values.subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(gathered)));
      done += gathered;
      gathered = 0;
    }
  }
}

}  // namespace

std::vector<std::int64_t> dense_strides(std::span<const std::int64_t> shape, bool first_fastest) {
  std::vector<std::int64_t> strides(shape.size());
  std::uint64_t stride = 1;  // unsigned: wraps around
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::size_t at = first_fastest ? i : shape.size() - 1 - i;
    strides[at] = static_cast<std::int64_t>(stride);
    stride *= static_cast<std::uint64_t>(std::max<std::int64_t>(shape[at], 1));
  }
  return strides;
}

void check_strided(const std::string& where, const StridedTensor& tensor, std::int64_t available) {
  if (tensor.shape.size() > kHighestRank) {
    throw Error("{} has {} extents, expected at most {}", where, tensor.shape.size(), kHighestRank);
  }
  if (tensor.shape.size() != tensor.strides.size()) {
    throw Error("{} has {} extents, but {} strides", where, tensor.shape.size(), tensor.strides.size());
  }
  const auto impossible = [&] {
    throw Error(
        "{} has shape {}, strides {} and offset {}, but only {} numbers are there: the file is damaged",
        where, shape_text(tensor.shape), shape_text(tensor.strides), tensor.offset, available);
  };
  std::int64_t count = 1;
  if (tensor.offset < 0) impossible();
  for (const std::int64_t extent : tensor.shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) impossible();
  }
  if (count == 0) return;
  std::int64_t last = tensor.offset;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    std::int64_t step = 0;
    if (tensor.strides[i] < 0 || __builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &step) ||
        __builtin_add_overflow(last, step, &last)) {
      impossible();
    }
  }
  if (last >= available || count > std::max(available, kMaxRepeated)) impossible();
}

std::vector<float> read_strided(const StridedTensor& tensor, const ReadBytes& read) {
  std::vector<float> values(static_cast<std::size_t>(count_of(tensor)));
  if (values.empty()) return values;
  if (is_dense(tensor)) {
    read_dense(tensor, read, values);
  } else {
    read_scattered(tensor, read, values);
  }
  return values;
}

}  // namespace chiaro
