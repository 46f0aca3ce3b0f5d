// HDF5 files: H5Reader and H5Writer, thin owners over the HDF5 C library, whose headers stay inside
// engine/io.
//
// Objects are named by paths from the root: "parameters/conv1.weight"; a leading '/' is optional. Shapes are
// written (3,3,3,64), a scalar is (). Everything throws Error, and every message begins with the file's name.
// HDF5's own error printing is off. One object is used by one thread at a time.
// Source: HDF5 reference manual 1.10; h5py for how strings and half-precision numbers are stored.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace chiaro {

class InputFile;
class NewFile;

std::string shape_text(std::span<const std::int64_t> shape);  // "(3,3,3,64)"

// Owns any HDF5 identifier.
class H5Handle {
 public:
  H5Handle() = default;
  explicit H5Handle(std::int64_t id) : id_(id) {}
  H5Handle(H5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  H5Handle& operator=(H5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~H5Handle();

  std::int64_t get() const { return id_; }
  std::int64_t release() { return std::exchange(id_, -1); }
  explicit operator bool() const { return id_ >= 0; }

 private:
  std::int64_t id_ = -1;
};

// Reads one file, and never another one: soft and external links, values in other files, virtual datasets and filters
// that would be loaded from plugins are refused by name. Nothing is allocated for a dataset before its size was compared
// with what is expected, or, where the file itself says how large it is, with what a file of its length can hold.
class H5Reader {
 public:
  using Shape = std::vector<std::int64_t>;

  // A missing file, a folder, a device, a file of another kind (named) and a truncated file are errors.
  explicit H5Reader(const std::filesystem::path& path);
  explicit H5Reader(const InputFile& input);  // whose kind was found to be HDF5

  const std::string& file() const { return file_; }  // as given, for messages

  bool exists(const std::string& object) const;
  // Whether a file of this size can be the packed form of so many bytes.
  bool can_hold(std::int64_t bytes) const;
  // Names, not paths, in the order of creation where the group keeps it, else sorted.
  std::vector<std::string> groups(const std::string& group = "/") const;
  std::vector<std::string> datasets(const std::string& group = "/") const;

  Shape shape(const std::string& dataset) const;
  bool holds_floats(const std::string& dataset) const;
  std::int64_t element_bytes(
      const std::string& dataset) const;  // as stored; of floating point, the precision
  // Throws "<file>: dataset '/a' has shape (3,3,3,32), expected (3,3,3,64)"; -1 expects any extent.
  void check_shape(const std::string& dataset, std::span<const std::int64_t> expected) const;

  // Whole datasets in row-major order. Floating point of any width becomes fp32, integers of any width int64.
  // A dataset of another class of types is an error.
  std::vector<float> floats(const std::string& dataset, std::span<const std::int64_t> expected) const;
  std::vector<float> floats(const std::string& dataset) const { return floats(dataset, shape(dataset)); }
  std::vector<double> doubles(const std::string& dataset, std::span<const std::int64_t> expected) const;
  std::vector<std::int64_t> integers(const std::string& dataset) const;
  std::vector<std::uint8_t> bytes(const std::string& dataset) const;
  std::vector<std::string> strings(const std::string& dataset) const;
  // The same into memory of the caller; out.size() must be the number of elements.
  void read_floats(const std::string& dataset, std::span<const std::int64_t> expected,
                   std::span<float> out) const;
  // References to objects, as MATLAB 7.3 files use them: numbers that are equal exactly when they mean the
  // same object; reference_to() is the one to a given object.
  bool holds_references(const std::string& dataset) const;
  std::vector<std::uint64_t> references(const std::string& dataset) const;
  std::uint64_t reference_to(const std::string& object) const;
  // Entries [first, first + count) of the leading extent of a uint8 dataset; out has exactly their size.
  void read_byte_rows(const std::string& dataset, std::int64_t first, std::int64_t count,
                      std::span<std::uint8_t> out) const;

  // Attributes of a group or dataset; "/" is the file itself. Strings of fixed and of variable length.
  bool has_attribute(const std::string& object, const std::string& name) const;
  std::string string_attribute(const std::string& object, const std::string& name) const;
  std::vector<std::string> strings_attribute(const std::string& object, const std::string& name) const;
  double number_attribute(const std::string& object, const std::string& name) const;
  std::int64_t integer_attribute(const std::string& object, const std::string& name) const;

 private:
  std::vector<std::string> members(const std::string& group, int type) const;
  H5Handle open_dataset(const std::string& dataset) const;
  H5Handle open_attribute(const std::string& object, const std::string& name, std::int64_t count) const;
  void check_storage(const std::string& path, const H5Handle& dataset) const;
  std::size_t bounded_count(const std::string& dataset, const Shape& shape, std::int64_t element_bytes) const;
  void read(const std::string& dataset, std::int64_t type_class, std::int64_t memory_type, void* out) const;
  void read_as_float(const std::string& dataset, std::span<float> out) const;
  std::int64_t id() const;

  std::string file_;
  std::int64_t file_bytes_ = 0;
  H5Handle handle_;
};

enum class H5Float { Half, Single, Double };

// Writes one new file, a NewFile: it appears under its name, complete, when close() returns; without that nothing is
// left behind. Groups on the way to an object are made as needed and keep the order of creation. No times are
// stored: the same calls give the same bytes.
class H5Writer {
 public:
  explicit H5Writer(const std::filesystem::path& path);
  H5Writer(const H5Writer&) = delete;
  H5Writer& operator=(const H5Writer&) = delete;
  ~H5Writer();

  void group(const std::string& name);
  // gzip: 0 = stored as is, 1..9 = deflate level. values.size() must be the product of shape.
  // Half rounds to nearest even; a finite value beyond 65504 is an error.
  void floats(const std::string& dataset, std::span<const std::int64_t> shape, std::span<const float> values,
              H5Float stored_as = H5Float::Single, int gzip = 0);
  void doubles(const std::string& dataset, std::span<const std::int64_t> shape,
               std::span<const double> values, int gzip = 0);
  void integers(const std::string& dataset, std::span<const std::int64_t> shape,
                std::span<const std::int64_t> values, int gzip = 0);
  void bytes(const std::string& dataset, std::span<const std::int64_t> shape,
             std::span<const std::uint8_t> values, int gzip = 0);
  void strings(const std::string& dataset, const std::vector<std::string>& values);  // variable length, UTF-8
  // A uint8 dataset that is filled piece by piece along its leading extent.
  void create_bytes(const std::string& dataset, std::span<const std::int64_t> shape, int gzip = 0);
  void write_byte_rows(const std::string& dataset, std::int64_t first, std::int64_t count,
                       std::span<const std::uint8_t> values);

  // A single string has variable length (h5py: str); a list has fixed length, null-padded (as Keras writes
  // it).
  void attribute(const std::string& object, const std::string& name, const std::string& value);
  void attribute(const std::string& object, const std::string& name, const char* value) {
    attribute(object, name, std::string(value));
  }
  void attribute(const std::string& object, const std::string& name, const std::vector<std::string>& values);
  void attribute(const std::string& object, const std::string& name, double value);
  void attribute(const std::string& object, const std::string& name, std::int64_t value);

  // Completes the file and gives it its name. Nothing may be written afterwards.
  void close();

 private:
  H5Handle create_dataset(const std::string& name, std::int64_t type, std::span<const std::int64_t> shape,
                          std::int64_t element_bytes, int gzip);
  void write(const std::string& name, std::int64_t stored_type, std::int64_t memory_type,
             std::int64_t element_bytes, std::span<const std::int64_t> shape, std::size_t count,
             const void* values, int gzip);
  void write_attribute(const std::string& object, const std::string& name, std::int64_t stored_type,
                       std::int64_t space, std::int64_t memory_type, const void* value);
  std::int64_t id() const;
  // After a call of HDF5 that has failed, or may have lost bytes: throws the reason.
  void check(bool good) const;

  std::string file_;
  std::unique_ptr<NewFile> out_;
  H5Handle handle_;
};

}  // namespace chiaro
