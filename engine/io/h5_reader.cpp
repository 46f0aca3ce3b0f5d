#include <algorithm>
#include <array>
#include <limits>

#include "engine/io/file_kind.hpp"
#include "engine/io/h5_detail.hpp"
#include "engine/io/half.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

// No weights and no photos shrink by more than this factor: a larger claim is a damaged or hostile file.
constexpr std::int64_t kLargestCompression = 64, kAlwaysAllowedBytes = 64 << 20;

const char* name_of_class(H5T_class_t type_class) {
  switch (type_class) {
    case H5T_FLOAT:
      return "floating-point numbers";
    case H5T_INTEGER:
      return "integers";
    case H5T_STRING:
      return "strings";
    case H5T_COMPOUND:
      return "compound records";
    case H5T_ENUM:
      return "enumeration values";
    default:
      return "values of another type";
  }
}

H5Reader::Shape shape_of(hid_t space) {
  if (H5Sget_simple_extent_type(space) == H5S_NULL) return {0};
  std::vector<hsize_t> extents(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space))));
  if (!extents.empty()) H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  return H5Reader::Shape(extents.begin(), extents.end());
}

// Reads count strings of the given file type with read(memory_type, buffer); false when HDF5 fails.
template <class Read>
bool read_strings(hid_t type, hid_t space, std::size_t count, Read&& read, std::vector<std::string>& out) {
  out.clear();
  if (count == 0) return true;
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> texts(count, nullptr);
    if (read(texts.data()) < 0) return false;
    for (const char* text : texts) out.emplace_back(text ? text : "");
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, texts.data());
    return true;
  }
  const std::size_t width = H5Tget_size(type);
  std::vector<char> bytes(count * width);
  if (read(bytes.data()) < 0) return false;
  const bool space_padded = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
  for (std::size_t i = 0; i < count; ++i) {
    std::string text(bytes.data() + i * width, width);
    text.resize(std::min(text.size(), text.find('\0')));
    while (space_padded && !text.empty() && text.back() == ' ') text.pop_back();
    out.push_back(std::move(text));
  }
  return true;
}

}  // namespace

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ',';
    text += shape[i] < 0 ? "any" : std::to_string(shape[i]);
  }
  return text + ")";
}

H5Handle::~H5Handle() {
  if (id_ >= 0) H5Idec_ref(id_);
}

namespace {

const InputFile& checked_hdf5(const InputFile& input) {
  const FileKind kind = file_kind(input);
  if (kind == FileKind::Hdf5 || kind == FileKind::Matlab73) return input;
  throw Error("{}: is not an HDF5 file: it is {}", input.name(), describe(kind));
}

}  // namespace

H5Reader::H5Reader(const std::filesystem::path& path) : H5Reader(checked_hdf5(InputFile(path))) {}

H5Reader::H5Reader(const InputFile& input) : file_(input.name()), file_bytes_(input.bytes()) {
  h5::silence();
  // Locks fail on many network and read-only file systems; files appear complete by renaming, so none is
  // needed.
  const H5Handle access(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_file_locking(access.get(), false, true);
  handle_ = H5Handle(H5Fopen(file_.c_str(), H5F_ACC_RDONLY, access.get()));
  if (!handle_) {
    throw Error("{}: this HDF5 file of {} bytes is truncated or damaged; copy or download it again", file_,
                file_bytes_);
  }
}

std::int64_t H5Reader::id() const {
  h5::silence();
  return handle_.get();
}

bool H5Reader::exists(const std::string& object) const {
  const std::string path = h5::absolute(object);
  if (path == "/") return true;
  // From the root on, so that no link is followed before it was looked at.
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    H5L_info_t link{};
    if (H5Lget_info(id(), part.c_str(), &link, H5P_DEFAULT) < 0) return false;
    if (link.type != H5L_TYPE_HARD)
      throw Error("{}: '{}' is {} link, which is not followed: refused", file_, part,
                  link.type == H5L_TYPE_EXTERNAL ? "an external" : "a soft");
    if (end == std::string::npos) break;
  }
  return H5Oexists_by_name(id(), path.c_str(), H5P_DEFAULT) > 0;
}

bool H5Reader::can_hold(std::int64_t bytes) const {
  return bytes <= kAlwaysAllowedBytes + kLargestCompression * file_bytes_;
}

std::vector<std::string> H5Reader::members(const std::string& group, int type) const {
  const std::string path = h5::absolute(group);
  const H5Handle parent(exists(path) ? H5Gopen2(id(), path.c_str(), H5P_DEFAULT) : H5I_INVALID_HID);
  if (!parent) throw Error("{}: no group '{}'", file_, path);
  const H5Handle creation(H5Gget_create_plist(parent.get()));
  unsigned order = 0;
  H5Pget_link_creation_order(creation.get(), &order);
  const H5_index_t index = (order & H5P_CRT_ORDER_TRACKED) ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;

  H5G_info_t info{};
  bool good = H5Gget_info(parent.get(), &info) >= 0;
  std::vector<std::string> names;
  for (hsize_t i = 0; good && i < info.nlinks; ++i) {
    const ssize_t length =
        H5Lget_name_by_idx(parent.get(), ".", index, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
    good = length > 0;
    if (!good) break;
    std::string name(static_cast<std::size_t>(length) + 1, '\0');
    H5Lget_name_by_idx(parent.get(), ".", index, H5_ITER_INC, i, name.data(), name.size(), H5P_DEFAULT);
    name.pop_back();
    if (!exists((path == "/" ? "" : path) + "/" + name)) continue;
    const H5Handle object(H5Oopen(parent.get(), name.c_str(), H5P_DEFAULT));
    if (object && H5Iget_type(object.get()) == type) names.push_back(std::move(name));
  }
  if (!good) throw Error("{}: group '{}' cannot be listed: the file is damaged", file_, path);
  return names;
}

std::vector<std::string> H5Reader::groups(const std::string& group) const {
  return members(group, H5I_GROUP);
}
std::vector<std::string> H5Reader::datasets(const std::string& group) const {
  return members(group, H5I_DATASET);
}

H5Handle H5Reader::open_dataset(const std::string& dataset) const {
  const std::string path = h5::absolute(dataset);
  if (exists(path)) {
    H5Handle handle(H5Dopen2(id(), path.c_str(), H5P_DEFAULT));
    if (!handle) throw Error("{}: '{}' is not a dataset or is damaged", file_, path);
    check_storage(path, handle);
    return handle;
  }
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
  std::vector<std::string> names;
  if (exists(parent)) names = members(parent, H5I_DATASET);
  throw Error("{}: no dataset '{}'{}", file_, path, did_you_mean(path.substr(slash + 1), names));
}

// Where the values lie and how they are packed; nothing of them has been read yet.
void H5Reader::check_storage(const std::string& path, const H5Handle& dataset) const {
  const H5Handle creation(H5Dget_create_plist(dataset.get()));
  const H5D_layout_t layout = H5Pget_layout(creation.get());
  if (H5Pget_external_count(creation.get()) != 0 || layout == H5D_VIRTUAL)
    throw Error("{}: dataset '{}' keeps its values in other files: refused", file_, path);
  const int filters = H5Pget_nfilters(creation.get());
  for (int i = 0; i < filters; ++i) {
    std::size_t settings = 0;
    const H5Z_filter_t filter = H5Pget_filter2(creation.get(), static_cast<unsigned>(i), nullptr, &settings,
                                               nullptr, 0, nullptr, nullptr);
    if (filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_FLETCHER32)
      continue;
    throw Error(
        "{}: dataset '{}' is packed by HDF5 filter {}, expected gzip: refused; save it again with gzip",
        file_, path, filter);
  }
  if (layout != H5D_CHUNKED) return;
  const H5Handle type(H5Dget_type(dataset.get()));
  std::array<hsize_t, H5S_MAX_RANK> extents;
  const int rank = H5Pget_chunk(creation.get(), H5S_MAX_RANK, extents.data());
  bounded_count(path, Shape(extents.begin(), extents.begin() + std::max(rank, 0)),
                static_cast<std::int64_t>(H5Tget_size(type.get())));
}

H5Reader::Shape H5Reader::shape(const std::string& dataset) const {
  const H5Handle handle = open_dataset(dataset);
  const H5Handle space(H5Dget_space(handle.get()));
  return shape_of(space.get());
}

bool H5Reader::holds_floats(const std::string& dataset) const {
  const H5Handle handle = open_dataset(dataset);
  const H5Handle type(H5Dget_type(handle.get()));
  return H5Tget_class(type.get()) == H5T_FLOAT;
}

std::int64_t H5Reader::element_bytes(const std::string& dataset) const {
  const H5Handle handle = open_dataset(dataset);
  const H5Handle type(H5Dget_type(handle.get()));
  return static_cast<std::int64_t>(H5Tget_size(type.get()));
}

void H5Reader::check_shape(const std::string& dataset, std::span<const std::int64_t> expected) const {
  const Shape found = shape(dataset);
  const bool same = std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                               [](std::int64_t f, std::int64_t e) { return f == e || e < 0; });
  if (same) return;
  throw Error("{}: dataset '{}' has shape {}, expected {}", file_, h5::absolute(dataset), shape_text(found),
              shape_text(expected));
}

std::size_t H5Reader::bounded_count(const std::string& dataset, const Shape& shape,
                                    std::int64_t element_bytes) const {
  std::int64_t count = 1;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  for (const std::int64_t extent : shape) {
    const std::int64_t most = std::numeric_limits<std::int64_t>::max() / element_bytes;
    if (extent < 0 || count > most / extent || !can_hold(count * extent * element_bytes)) {
      throw Error("{}: dataset '{}' claims shape {}, more than a file of {} bytes can hold: it is damaged",
                  file_, h5::absolute(dataset), shape_text(shape), file_bytes_);
    }
    count *= extent;
  }
  return static_cast<std::size_t>(count);
}

void H5Reader::read(const std::string& dataset, std::int64_t type_class, std::int64_t memory_type,
                    void* out) const {
  const H5Handle handle = open_dataset(dataset);
  const H5Handle type(H5Dget_type(handle.get()));
  const H5T_class_t found = H5Tget_class(type.get());
  if (found != type_class) {
    throw Error("{}: dataset '{}' holds {}, expected {}", file_, h5::absolute(dataset), name_of_class(found),
                name_of_class(static_cast<H5T_class_t>(type_class)));
  }
  if (out && H5Dread(handle.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0) {
    throw Error("{}: dataset '{}' cannot be read: the file is damaged", file_, h5::absolute(dataset));
  }
}

void H5Reader::read_as_float(const std::string& dataset, std::span<float> out) const {
  const H5Handle half = h5::half_type();
  const H5Handle handle = open_dataset(dataset);
  const H5Handle type(H5Dget_type(handle.get()));
  if (H5Tequal(type.get(), half.get()) <= 0) return read(dataset, H5T_FLOAT, H5T_NATIVE_FLOAT, out.data());
  std::vector<std::uint16_t> halves(out.size());
  read(dataset, H5T_FLOAT, half.get(), halves.data());
  std::transform(halves.begin(), halves.end(), out.begin(), half_to_float);
}

std::vector<float> H5Reader::floats(const std::string& dataset,
                                    std::span<const std::int64_t> expected) const {
  check_shape(dataset, expected);
  std::vector<float> values(bounded_count(dataset, shape(dataset), sizeof(float)));
  read_as_float(dataset, values);
  return values;
}

std::vector<double> H5Reader::doubles(const std::string& dataset,
                                      std::span<const std::int64_t> expected) const {
  check_shape(dataset, expected);
  std::vector<double> values(bounded_count(dataset, shape(dataset), sizeof(double)));
  read(dataset, H5T_FLOAT, H5T_NATIVE_DOUBLE, values.data());
  return values;
}

void H5Reader::read_floats(const std::string& dataset, std::span<const std::int64_t> expected,
                           std::span<float> out) const {
  check_shape(dataset, expected);
  const std::size_t count = bounded_count(dataset, shape(dataset), sizeof(float));
  require(out.size() == count, "{}: dataset '{}' has {} values, the memory for it {}", file_, dataset, count,
          out.size());
  read_as_float(dataset, out);
}

std::vector<std::int64_t> H5Reader::integers(const std::string& dataset) const {
  std::vector<std::int64_t> values(bounded_count(dataset, shape(dataset), sizeof(std::int64_t)));
  read(dataset, H5T_INTEGER, H5T_NATIVE_INT64, values.data());
  return values;
}

std::vector<std::uint8_t> H5Reader::bytes(const std::string& dataset) const {
  const Shape extents = shape(dataset);
  std::vector<std::uint8_t> values(bounded_count(dataset, extents, 1));
  read(dataset, H5T_INTEGER, H5T_NATIVE_UINT8, values.data());
  return values;
}

void H5Reader::read_byte_rows(const std::string& dataset, std::int64_t first, std::int64_t count,
                              std::span<std::uint8_t> out) const {
  const H5Handle handle = open_dataset(dataset);
  const H5Handle type(H5Dget_type(handle.get()));
  const H5Handle space(H5Dget_space(handle.get()));
  const Shape extents = shape_of(space.get());
  if (H5Tget_class(type.get()) != H5T_INTEGER || H5Tget_size(type.get()) != 1) {
    throw Error("{}: dataset '{}' does not hold bytes", file_, h5::absolute(dataset));
  }
  if (extents.empty() || first < 0 || count < 0 || first > extents[0] || count > extents[0] - first) {
    throw Error("{}: dataset '{}' of shape {} has no entries {} to {}", file_, h5::absolute(dataset),
                shape_text(extents), first, first + count - 1);
  }
  Shape wanted = extents;
  wanted[0] = count;
  const std::size_t size = bounded_count(dataset, wanted, 1);
  require(out.size() == size, "{}: {} bytes wanted from '{}', the memory for them has {}", file_, size,
          dataset, out.size());
  if (size == 0) return;
  std::vector<hsize_t> start(extents.size(), 0), extent(wanted.begin(), wanted.end());
  start[0] = static_cast<hsize_t>(first);
  H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr);
  const H5Handle memory(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr));
  if (H5Dread(handle.get(), H5T_NATIVE_UINT8, memory.get(), space.get(), H5P_DEFAULT, out.data()) < 0) {
    throw Error("{}: dataset '{}' cannot be read: the file is damaged", file_, h5::absolute(dataset));
  }
}

std::vector<std::string> H5Reader::strings(const std::string& dataset) const {
  read(dataset, H5T_STRING, 0, nullptr);
  const H5Handle handle = open_dataset(dataset);
  const H5Handle type(H5Dget_type(handle.get()));
  const H5Handle space(H5Dget_space(handle.get()));
  const auto width = static_cast<std::int64_t>(H5Tget_size(type.get()));
  const std::size_t count = bounded_count(dataset, shape_of(space.get()), width);
  std::vector<std::string> texts;
  const auto from_file = [&](void* out) {
    return H5Dread(handle.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
  };
  if (!read_strings(type.get(), space.get(), count, from_file, texts)) {
    throw Error("{}: dataset '{}' cannot be read: the file is damaged", file_, h5::absolute(dataset));
  }
  return texts;
}

bool H5Reader::holds_references(const std::string& dataset) const {
  const H5Handle handle = open_dataset(dataset);
  const H5Handle type(H5Dget_type(handle.get()));
  return H5Tequal(type.get(), H5T_STD_REF_OBJ) > 0;
}

std::vector<std::uint64_t> H5Reader::references(const std::string& dataset) const {
  static_assert(sizeof(hobj_ref_t) == sizeof(std::uint64_t));
  if (!holds_references(dataset)) {
    throw Error("{}: dataset '{}' does not hold references to objects", file_, h5::absolute(dataset));
  }
  std::vector<std::uint64_t> values(bounded_count(dataset, shape(dataset), sizeof(hobj_ref_t)));
  read(dataset, H5T_REFERENCE, H5T_STD_REF_OBJ, values.data());
  return values;
}

std::uint64_t H5Reader::reference_to(const std::string& object) const {
  const std::string path = h5::absolute(object);
  hobj_ref_t reference = 0;
  if (!exists(path) || H5Rcreate(&reference, id(), path.c_str(), H5R_OBJECT, -1) < 0) {
    throw Error("{}: no object '{}'", file_, path);
  }
  return reference;
}

bool H5Reader::has_attribute(const std::string& object, const std::string& name) const {
  return exists(object) &&
         H5Aexists_by_name(id(), h5::absolute(object).c_str(), name.c_str(), H5P_DEFAULT) > 0;
}

// count: the number of values expected, -1 for any.
H5Handle H5Reader::open_attribute(const std::string& object, const std::string& name,
                                  std::int64_t count) const {
  const std::string path = h5::absolute(object);
  if (!has_attribute(path, name)) throw Error("{}: '{}' has no attribute '{}'", file_, path, name);
  H5Handle handle(H5Aopen_by_name(id(), path.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT));
  if (!handle)
    throw Error("{}: attribute '{}' of '{}' cannot be read: the file is damaged", file_, name, path);
  const H5Handle space(H5Aget_space(handle.get()));
  const hssize_t found = H5Sget_simple_extent_npoints(space.get());
  if (count >= 0 && found != count) {
    throw Error("{}: attribute '{}' of '{}' has {} values, expected {}", file_, name, path, found, count);
  }
  return handle;
}

std::vector<std::string> H5Reader::strings_attribute(const std::string& object,
                                                     const std::string& name) const {
  const H5Handle handle = open_attribute(object, name, -1);
  const H5Handle type(H5Aget_type(handle.get()));
  const H5Handle space(H5Aget_space(handle.get()));
  if (H5Tget_class(type.get()) != H5T_STRING) {
    throw Error("{}: attribute '{}' of '{}' holds {}, expected strings", file_, name, h5::absolute(object),
                name_of_class(H5Tget_class(type.get())));
  }
  const auto width = static_cast<std::int64_t>(H5Tget_size(type.get()));
  const std::size_t count = bounded_count(object + "@" + name, shape_of(space.get()), width);
  std::vector<std::string> texts;
  const auto from_file = [&](void* out) { return H5Aread(handle.get(), type.get(), out); };
  if (!read_strings(type.get(), space.get(), count, from_file, texts)) {
    throw Error("{}: attribute '{}' of '{}' cannot be read: the file is damaged", file_, name,
                h5::absolute(object));
  }
  return texts;
}

std::string H5Reader::string_attribute(const std::string& object, const std::string& name) const {
  open_attribute(object, name, 1);
  return strings_attribute(object, name).front();
}

double H5Reader::number_attribute(const std::string& object, const std::string& name) const {
  const H5Handle handle = open_attribute(object, name, 1);
  const H5Handle type(H5Aget_type(handle.get()));
  const H5T_class_t found = H5Tget_class(type.get());
  double value = 0;
  if ((found != H5T_FLOAT && found != H5T_INTEGER) || H5Aread(handle.get(), H5T_NATIVE_DOUBLE, &value) < 0) {
    throw Error("{}: attribute '{}' of '{}' holds {}, expected a number", file_, name, h5::absolute(object),
                name_of_class(found));
  }
  return value;
}

std::int64_t H5Reader::integer_attribute(const std::string& object, const std::string& name) const {
  const H5Handle handle = open_attribute(object, name, 1);
  const H5Handle type(H5Aget_type(handle.get()));
  const H5T_class_t found = H5Tget_class(type.get());
  std::int64_t value = 0;
  if (found != H5T_INTEGER || H5Aread(handle.get(), H5T_NATIVE_INT64, &value) < 0) {
    throw Error("{}: attribute '{}' of '{}' holds {}, expected an integer", file_, name, h5::absolute(object),
                name_of_class(found));
  }
  return value;
}

}  // namespace chiaro
