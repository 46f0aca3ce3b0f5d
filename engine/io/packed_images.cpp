#include "engine/io/packed_images.hpp"

#include <array>
#include <new>

#include "engine/io/h5_detail.hpp"
#include "engine/io/h5_sink.hpp"
#include "engine/io/trial.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr const char* kImagesFormat = "chiaro_images";
constexpr std::int64_t kImagesVersion = 1;

void check_format(const H5Reader& reader) {
  const bool marked = reader.has_attribute("/", "format") && reader.has_attribute("/", "version");
  const std::string format = marked ? reader.string_attribute("/", "format") : "";
  if (format != kImagesFormat) {
    throw Error("{}: not a file of packed photos (format '{}', expected '{}'); make one with pack_images",
                reader.file(), format, kImagesFormat);
  }
  const std::int64_t version = reader.integer_attribute("/", "version");
  if (version != kImagesVersion) {
    throw Error("{}: version {} of packed photos, expected {}; pack them again", reader.file(), version,
                kImagesVersion);
  }
}

// What reading will ask of the library: the names, where every picture lies, and one picture.
void read_for_trial(const std::filesystem::path& path) {
  const H5Reader reader(path);
  check_format(reader);
  reader.strings("names");
  const H5Reader::Shape shape = reader.shape("images");
  if (shape.size() != 4 || shape[0] < 1 || shape[1] < 1 || shape[1] != shape[2] || shape[3] != 3) return;
  Image image(shape[1], shape[2], 3);
  reader.read_byte_rows("images", 0, 1, image.pixels);
  const H5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  const H5Handle images(H5Dopen2(file.get(), "images", H5P_DEFAULT));
  const H5Handle properties(H5Dget_create_plist(images.get()));
  if (H5Pget_layout(properties.get()) != H5D_CHUNKED) return;
  hsize_t chunks = 0;
  const H5Handle space(H5Dget_space(images.get()));
  if (H5Dget_num_chunks(images.get(), space.get(), &chunks) < 0) {
    throw Error("{}: dataset '/images' cannot be read: the file is damaged; pack the photos again",
                reader.file());
  }
}

// The library can crash on damaged files, or read them without end: a child process is the first to try.
H5Reader open_tried(const std::filesystem::path& path) {
  try_in_child(path, [&] { read_for_trial(path); });
  return H5Reader(path);
}

}  // namespace

PackedImages::PackedImages(const std::filesystem::path& path) : reader_(open_tried(path)) {
  check_format(reader_);
  // Workers read while other threads may use HDF5 for other files, checkpoints above all.
  hbool_t thread_safe = false;
  if (H5is_library_threadsafe(&thread_safe) < 0 || !thread_safe) {
    throw Error(
        "{}: this HDF5 library is not thread-safe; install a thread-safe one or use folders of photos",
        reader_.file());
  }
  const H5Reader::Shape shape = reader_.shape("images");
  if (shape.size() != 4 || shape[0] < 1 || shape[1] < 1 || shape[1] != shape[2] || shape[3] != 3) {
    throw Error("{}: dataset '/images' has shape {}, expected (count,size,size,3); pack the photos again",
                reader_.file(), shape_text(shape));
  }
  count_ = shape[0];
  size_ = shape[1];
  names_ = reader_.strings("names");
  if (static_cast<std::int64_t>(names_.size()) != count_) {
    throw Error("{}: {} names for {} pictures; pack the photos again", reader_.file(), names_.size(), count_);
  }
}

Image PackedImages::read(std::int64_t index) const {
  require(index >= 0 && index < count_, "{}: picture {} of {}", reader_.file(), index, count_);
  Image image(size_, size_, 3);
  const std::lock_guard lock(mutex_);
  reader_.read_byte_rows("images", index, 1, image.pixels);
  return image;
}

PackedImagesWriter::PackedImagesWriter(const std::filesystem::path& path, std::int64_t size)
    : path_(path), size_(size), out_(path) {
  require(size > 0, "{}: pictures of {} x {} pixels cannot be packed", path.string(), size, size);
  h5::silence();
  file_ = h5::create_file(out_, H5P_DEFAULT);
  const auto side = static_cast<hsize_t>(size);
  const std::array<hsize_t, 4> none{0, side, side, 3}, unlimited{H5S_UNLIMITED, side, side, 3};
  const std::array<hsize_t, 4> chunk{1, side, side, 3};
  const H5Handle space(checked(H5Screate_simple(4, none.data(), unlimited.data())));
  const H5Handle properties(checked(H5Pcreate(H5P_DATASET_CREATE)));
  checked(H5Pset_chunk(properties.get(), 4, chunk.data()));
  checked(H5Pset_obj_track_times(properties.get(), false));
  images_ = H5Handle(checked(H5Dcreate2(file_.get(), "images", H5T_STD_U8LE, space.get(), H5P_DEFAULT,
                                        properties.get(), H5P_DEFAULT)));
}

PackedImagesWriter::~PackedImagesWriter() = default;

template <class Result>
Result PackedImagesWriter::checked(Result result) const {
  out_.check();
  if (result < 0) throw std::bad_alloc();  // nothing else is left: the disk is not HDF5's business
  return result;
}

void PackedImagesWriter::append(const Image& image, const std::string& name) {
  require(image.height == size_ && image.width == size_ && image.channels == 3,
          "{}: cannot pack '{}' of {} x {} pixels with {} channels, expected {} x {} with 3", path_.string(),
          name, image.width, image.height, image.channels, size_, size_);
  const auto side = static_cast<hsize_t>(size_), index = static_cast<hsize_t>(count());
  const std::array<hsize_t, 4> grown{index + 1, side, side, 3}, start{index, 0, 0, 0},
      extent{1, side, side, 3};
  checked(H5Dset_extent(images_.get(), grown.data()));
  const H5Handle file_space(checked(H5Dget_space(images_.get())));
  checked(
      H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr));
  const H5Handle memory_space(checked(H5Screate_simple(4, extent.data(), nullptr)));
  checked(H5Dwrite(images_.get(), H5T_NATIVE_UINT8, memory_space.get(), file_space.get(), H5P_DEFAULT,
                   image.pixels.data()));
  names_.push_back(name);
}

void PackedImagesWriter::close() {
  require(!names_.empty(), "{}: there is no picture to write", path_.string());
  const H5Handle text(checked(H5Tcopy(H5T_C_S1)));
  checked(H5Tset_size(text.get(), H5T_VARIABLE));
  checked(H5Tset_cset(text.get(), H5T_CSET_UTF8));
  std::vector<const char*> pointers;
  for (const std::string& name : names_) pointers.push_back(name.c_str());
  const hsize_t number = names_.size();
  const H5Handle list(checked(H5Screate_simple(1, &number, nullptr)));
  const H5Handle properties(checked(H5Pcreate(H5P_DATASET_CREATE)));
  checked(H5Pset_obj_track_times(properties.get(), false));
  const H5Handle names(checked(
      H5Dcreate2(file_.get(), "names", text.get(), list.get(), H5P_DEFAULT, properties.get(), H5P_DEFAULT)));
  checked(H5Dwrite(names.get(), text.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()));

  const H5Handle scalar(checked(H5Screate(H5S_SCALAR)));
  const H5Handle format(
      checked(H5Acreate2(file_.get(), "format", text.get(), scalar.get(), H5P_DEFAULT, H5P_DEFAULT)));
  checked(H5Awrite(format.get(), text.get(), &kImagesFormat));
  const H5Handle version(
      checked(H5Acreate2(file_.get(), "version", H5T_STD_I64LE, scalar.get(), H5P_DEFAULT, H5P_DEFAULT)));
  checked(H5Awrite(version.get(), H5T_NATIVE_INT64, &kImagesVersion));

  checked(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL));
  images_ = {};
  checked(H5Fclose(file_.release()));
  out_.commit();
}

}  // namespace chiaro
