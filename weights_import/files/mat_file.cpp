#include "weights_import/files/mat_file.hpp"

#include <algorithm>
#include <array>

#include "engine/io/file_kind.hpp"
#include "engine/io/h5_file.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/files/input_file.hpp"
#include "weights_import/files/mat_v5.hpp"
#include "weights_import/files/mat_v73.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kArrayBytesAlways = 64 << 20;

// MATLAB 4 files have no header: they begin with the type of the first matrix, a number below 5000 of which
// at least one byte is zero, and its extents.
bool looks_like_v4(const InputFile& file) {
  std::array<std::byte, 20> head;
  if (file.bytes() < std::ssize(head)) return false;
  file.read(0, head, "the header");
  const auto number = [&](std::size_t at, bool big) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      value |= std::to_integer<std::uint32_t>(head[at + i]) << (8 * (big ? 3 - i : i));
    }
    return value;
  };
  for (const bool big : {false, true}) {
    const std::uint32_t type = number(0, big);
    const bool valid_type = type < 5000 && type % 10 <= 2 && type / 10 % 10 <= 5 && type / 100 % 10 == 0;
    if (valid_type && number(4, big) < (1u << 20) && number(8, big) < (1u << 20) && number(12, big) <= 1 &&
        number(16, big) > 0 && number(16, big) <= 64) {
      return true;
    }
  }
  return false;
}

// From the first extent fastest to the last extent fastest.
std::vector<float> row_major(std::vector<float> values, const std::vector<std::int64_t>& shape) {
  const auto longer = [](std::int64_t extent) { return extent > 1; };
  if (std::count_if(shape.begin(), shape.end(), longer) < 2) return values;
  std::vector<float> out(values.size());
  std::vector<std::int64_t> index(shape.size(), 0), step(shape.size(), 1);
  for (std::size_t d = shape.size() - 1; d > 0; --d) step[d - 1] = step[d] * shape[d];
  std::int64_t to = 0;
  for (const float value : values) {
    out[static_cast<std::size_t>(to)] = value;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      to += step[d];
      if (++index[d] < shape[d]) break;
      to -= step[d] * shape[d];
      index[d] = 0;
    }
  }
  return out;
}

}  // namespace

MatFile::MatFile(const std::filesystem::path& path) : file_(path.string()) {
  const FileKind kind = file_kind(path);
  if (kind == FileKind::Hdf5) {
    format_ = "MATLAB 7.3";
    bytes_ = static_cast<std::int64_t>(std::filesystem::file_size(path));
    reader_ = open_mat_v73(path);
  } else if (kind == FileKind::Matlab) {
    auto input = std::make_unique<InputFile>(path);
    format_ = "MATLAB 5";
    bytes_ = input->bytes();
    reader_ = open_mat_v5(std::move(input));
  } else {
    if (kind == FileKind::Binary && looks_like_v4(InputFile(path))) {
      throw Error(
          "{}: is a MATLAB 4 file, which is not supported: load it in MATLAB or Octave and save it with "
          "-v7",
          file_);
    }
    throw Error("{}: is not a MATLAB file: it is {}", file_, describe(kind));
  }
  variables_ = reader_->parse();
}

std::vector<float> MatFile::floats(const MatValue& value) const {
  if (value.kind != MatKind::Numbers || value.payload.complex) {
    throw Error("{}: holds {} where an array of real numbers was expected", file_,
                value.payload.complex ? "complex numbers" : "a value of class " + value.type);
  }
  const std::int64_t count = value.count();
  if (count > (kArrayBytesAlways + 2 * bytes_) / static_cast<std::int64_t>(sizeof(float))) {
    throw Error("{}: an array claims shape {}, more than a file of {} bytes should hold: it is damaged",
                file_, shape_text(value.shape), bytes_);
  }
  if (count == 0) return {};
  return row_major(reader_->column_major(value), value.shape);
}

}  // namespace chiaro
