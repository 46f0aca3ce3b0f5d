#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "engine/file_util.hpp"
#include "engine/io/h5_detail.hpp"
#include "engine/io/h5_sink.hpp"
#include "engine/io/half.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kChunkBytes = 1 << 20;
constexpr float kLargestHalf = 65504.0f;

std::size_t count_of(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return static_cast<std::size_t>(count);
}

H5Handle dataspace(std::span<const std::int64_t> shape) {
  if (shape.empty()) return H5Handle(H5Screate(H5S_SCALAR));
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return H5Handle(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr));
}

H5Handle string_type(std::size_t width) {
  H5Handle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type.get(), width);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  if (width != H5T_VARIABLE) H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  return type;
}

// At most about 1 MiB per chunk, cut along the leading extents.
std::vector<hsize_t> chunk_of(std::span<const std::int64_t> shape, std::int64_t element_bytes) {
  std::vector<hsize_t> chunk(shape.begin(), shape.end());
  std::int64_t bytes = element_bytes * static_cast<std::int64_t>(count_of(shape));
  for (hsize_t& extent : chunk) {
    if (bytes <= kChunkBytes) break;
    const std::int64_t inner = bytes / static_cast<std::int64_t>(extent);
    extent = static_cast<hsize_t>(std::max<std::int64_t>(1, kChunkBytes / inner));
    bytes = inner * static_cast<std::int64_t>(extent);
  }
  return chunk;
}

}  // namespace

H5Writer::H5Writer(const std::filesystem::path& path)
    : file_(path.string()), out_(std::make_unique<NewFile>(path)) {
  h5::silence();
  const H5Handle creation(H5Pcreate(H5P_FILE_CREATE));
  H5Pset_link_creation_order(creation.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  handle_ = h5::create_file(*out_, creation.get());
}

H5Writer::~H5Writer() = default;

void H5Writer::check(bool good) const {
  out_->check();
  if (!good) throw std::bad_alloc();  // nothing else is left: the disk is not HDF5's business
}

std::int64_t H5Writer::id() const {
  h5::silence();
  require(static_cast<bool>(handle_), "{}: written to after close()", file_);
  return handle_.get();
}

void H5Writer::group(const std::string& name) {
  const std::string path = h5::absolute(name);
  const H5Handle creation(H5Pcreate(H5P_GROUP_CREATE));
  H5Pset_link_creation_order(creation.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_obj_track_times(creation.get(), false);
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (part != "/" && H5Lexists(id(), part.c_str(), H5P_DEFAULT) <= 0) {
      const H5Handle made(H5Gcreate2(id(), part.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT));
      out_->check();
      if (!made) throw Error("{}: group '{}' cannot be made", file_, part);
    }
    if (end == std::string::npos) return;
  }
}

H5Handle H5Writer::create_dataset(const std::string& name, std::int64_t type,
                                  std::span<const std::int64_t> shape, std::int64_t element_bytes, int gzip) {
  const std::string path = h5::absolute(name);
  if (const std::size_t slash = path.rfind('/'); slash > 0) group(path.substr(0, slash));
  const H5Handle creation(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_obj_track_times(creation.get(), false);
  if (gzip > 0 && !shape.empty() && count_of(shape) > 0) {
    const std::vector<hsize_t> chunk = chunk_of(shape, element_bytes);
    H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data());
    H5Pset_deflate(creation.get(), static_cast<unsigned>(gzip));
  }
  const H5Handle space = dataspace(shape);
  H5Handle dataset(
      H5Dcreate2(id(), path.c_str(), type, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT));
  out_->check();
  if (!dataset) throw Error("{}: dataset '{}' cannot be made (written twice?)", file_, path);
  return dataset;
}

void H5Writer::write(const std::string& name, std::int64_t stored_type, std::int64_t memory_type,
                     std::int64_t element_bytes, std::span<const std::int64_t> shape, std::size_t count,
                     const void* values, int gzip) {
  require(count == count_of(shape), "{}: dataset '{}' of shape {} given {} values", file_, name,
          shape_text(shape), count);
  const H5Handle dataset = create_dataset(name, stored_type, shape, element_bytes, gzip);
  check(count == 0 || H5Dwrite(dataset.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
}

void H5Writer::floats(const std::string& dataset, std::span<const std::int64_t> shape,
                      std::span<const float> values, H5Float stored_as, int gzip) {
  if (stored_as == H5Float::Half) {
    const auto beyond = [](float v) { return std::isfinite(v) && std::fabs(v) > kLargestHalf; };
    const auto found = std::find_if(values.begin(), values.end(), beyond);
    if (found != values.end()) {
      throw Error("{}: dataset '{}' holds {}, beyond the {} of half precision; store it in single precision",
                  file_, h5::absolute(dataset), *found, kLargestHalf);
    }
    std::vector<std::uint16_t> halves(values.size());
    std::transform(values.begin(), values.end(), halves.begin(), float_to_half);
    const H5Handle half = h5::half_type();
    return write(dataset, half.get(), half.get(), 2, shape, halves.size(), halves.data(), gzip);
  }
  const bool twice = stored_as == H5Float::Double;
  write(dataset, twice ? H5T_IEEE_F64LE : H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, twice ? 8 : 4, shape,
        values.size(), values.data(), gzip);
}

void H5Writer::doubles(const std::string& dataset, std::span<const std::int64_t> shape,
                       std::span<const double> values, int gzip) {
  write(dataset, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 8, shape, values.size(), values.data(), gzip);
}

void H5Writer::integers(const std::string& dataset, std::span<const std::int64_t> shape,
                        std::span<const std::int64_t> values, int gzip) {
  write(dataset, H5T_STD_I64LE, H5T_NATIVE_INT64, 8, shape, values.size(), values.data(), gzip);
}

void H5Writer::bytes(const std::string& dataset, std::span<const std::int64_t> shape,
                     std::span<const std::uint8_t> values, int gzip) {
  write(dataset, H5T_STD_U8LE, H5T_NATIVE_UINT8, 1, shape, values.size(), values.data(), gzip);
}

void H5Writer::strings(const std::string& dataset, const std::vector<std::string>& values) {
  std::vector<const char*> texts;
  for (const std::string& value : values) texts.push_back(value.c_str());
  const std::int64_t shape[] = {static_cast<std::int64_t>(values.size())};
  const H5Handle type = string_type(H5T_VARIABLE);
  write(dataset, type.get(), type.get(), sizeof(char*), shape, texts.size(), texts.data(), 0);
}

void H5Writer::create_bytes(const std::string& dataset, std::span<const std::int64_t> shape, int gzip) {
  create_dataset(dataset, H5T_STD_U8LE, shape, 1, gzip);
}

void H5Writer::write_byte_rows(const std::string& dataset, std::int64_t first, std::int64_t count,
                               std::span<const std::uint8_t> values) {
  const std::string path = h5::absolute(dataset);
  const H5Handle handle(H5Dopen2(id(), path.c_str(), H5P_DEFAULT));
  require(static_cast<bool>(handle), "{}: no dataset '{}'", file_, path);
  const H5Handle space(H5Dget_space(handle.get()));
  const int rank = H5Sget_simple_extent_ndims(space.get());
  require(rank > 0, "{}: dataset '{}' has no rows", file_, path);
  std::vector<hsize_t> extent(static_cast<std::size_t>(rank)), start(extent.size(), 0);
  H5Sget_simple_extent_dims(space.get(), extent.data(), nullptr);
  const auto rows = static_cast<std::int64_t>(extent[0]);
  extent[0] = static_cast<hsize_t>(count);
  start[0] = static_cast<hsize_t>(first);
  const std::vector<std::int64_t> shape(extent.begin(), extent.end());
  require(first >= 0 && count > 0 && count <= rows - first && values.size() == count_of(shape),
          "{}: {} bytes as entries {} to {} of '{}', which has {} entries of {} bytes", file_, values.size(),
          first, first + count - 1, path, rows, count_of(std::span(shape).subspan(1)));
  H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr);
  const H5Handle memory(H5Screate_simple(rank, extent.data(), nullptr));
  check(H5Dwrite(handle.get(), H5T_NATIVE_UINT8, memory.get(), space.get(), H5P_DEFAULT, values.data()) >= 0);
}

void H5Writer::write_attribute(const std::string& object, const std::string& name, std::int64_t stored_type,
                               std::int64_t space, std::int64_t memory_type, const void* value) {
  const H5Handle handle(H5Acreate_by_name(id(), h5::absolute(object).c_str(), name.c_str(), stored_type,
                                          space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  const bool written = handle && H5Awrite(handle.get(), memory_type, value) >= 0;
  out_->check();
  if (!written) {
    throw Error("{}: attribute '{}' of '{}' cannot be written", file_, name, h5::absolute(object));
  }
}

void H5Writer::attribute(const std::string& object, const std::string& name, const std::string& value) {
  const H5Handle space = dataspace({});
  const H5Handle type = string_type(H5T_VARIABLE);
  const char* text = value.c_str();
  write_attribute(object, name, type.get(), space.get(), type.get(), &text);
}

void H5Writer::attribute(const std::string& object, const std::string& name,
                         const std::vector<std::string>& values) {
  std::size_t width = 1;
  for (const std::string& value : values) width = std::max(width, value.size());
  std::vector<char> bytes(std::max<std::size_t>(1, values.size()) * width, '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::memcpy(bytes.data() + i * width, values[i].data(), values[i].size());
  }
  const std::int64_t shape[] = {static_cast<std::int64_t>(values.size())};
  const H5Handle space = dataspace(shape);
  const H5Handle type = string_type(width);
  write_attribute(object, name, type.get(), space.get(), type.get(), bytes.data());
}

void H5Writer::attribute(const std::string& object, const std::string& name, double value) {
  const H5Handle space = dataspace({});
  write_attribute(object, name, H5T_IEEE_F64LE, space.get(), H5T_NATIVE_DOUBLE, &value);
}

void H5Writer::attribute(const std::string& object, const std::string& name, std::int64_t value) {
  const H5Handle space = dataspace({});
  write_attribute(object, name, H5T_STD_I64LE, space.get(), H5T_NATIVE_INT64, &value);
}

void H5Writer::close() {
  const bool flushed = H5Fflush(id(), H5F_SCOPE_GLOBAL) >= 0;
  const bool closed = H5Fclose(handle_.release()) >= 0;
  check(flushed && closed);
  out_->commit();
}

}  // namespace chiaro
