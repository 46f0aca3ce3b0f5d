#include "engine/io/h5_sink.hpp"

#include <hdf5.h>

#include <algorithm>
#include <new>
#if H5_VERSION_GE(1, 14, 0)
#include <H5FDdevelop.h>
#endif

#include "engine/io/h5_detail.hpp"
#include "kernels/base/error.hpp"

namespace chiaro::h5 {
namespace {

// What HDF5 holds for the open file: its own part comes first.
struct Sink {
  H5FD_t base{};
  NewFile* file = nullptr;
  haddr_t allocated = 0;
};

// The parameter of the driver, which HDF5 copies byte by byte.
struct Target {
  NewFile* file;
};

Sink* sink_of(H5FD_t* file) {
  return reinterpret_cast<Sink*>(file);
}
const Sink* sink_of(const H5FD_t* file) {
  return reinterpret_cast<const Sink*>(file);
}

H5FD_t* open_sink(const char*, unsigned, hid_t access, haddr_t) {
  const auto* target = static_cast<const Target*>(H5Pget_driver_info(access));
  if (!target) return nullptr;
  auto* sink = new (std::nothrow) Sink{.file = target->file};
  return sink ? &sink->base : nullptr;
}

herr_t close_sink(H5FD_t* file) {
  delete sink_of(file);
  return 0;
}

herr_t query_features(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

haddr_t allocated(const H5FD_t* file, H5FD_mem_t) {
  return sink_of(file)->allocated;
}

herr_t allocate(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  sink_of(file)->allocated = end;
  return 0;
}

haddr_t written(const H5FD_t* file, H5FD_mem_t) {
  return std::max(static_cast<haddr_t>(sink_of(file)->file->size()), sink_of(file)->allocated);
}

herr_t read_bytes(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t count, void* bytes) {
  sink_of(file)->file->read_at(static_cast<std::int64_t>(address), bytes, count);
  return 0;
}

herr_t write_bytes(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t count, const void* bytes) {
  sink_of(file)->file->write_at(static_cast<std::int64_t>(address), bytes, count);
  return 0;
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  sink_of(file)->file->resize(static_cast<std::int64_t>(sink_of(file)->allocated));
  return 0;
}

hid_t driver() {
  static const hid_t id = [] {
    static H5FD_class_t type{};
#ifdef H5FD_CLASS_VERSION
    type.version = H5FD_CLASS_VERSION;
    type.value = static_cast<H5FD_class_value_t>(600);  // of those that are free for tests and private use
#endif
    type.name = "chiaro_new_file";
    type.maxaddr = static_cast<haddr_t>(INT64_MAX);
    type.fc_degree = H5F_CLOSE_WEAK;
    type.fapl_size = sizeof(Target);
    type.open = open_sink;
    type.close = close_sink;
    type.query = query_features;
    type.get_eoa = allocated;
    type.set_eoa = allocate;
    type.get_eof = written;
    type.read = read_bytes;
    type.write = write_bytes;
    type.truncate = truncate;
    constexpr H5FD_mem_t kLists[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(kLists), std::end(kLists), std::begin(type.fl_map));
    return H5FDregister(&type);
  }();
  return id;
}

}  // namespace

H5Handle create_file(NewFile& file, hid_t creation) {
  silence();
  const H5Handle access(H5Pcreate(H5P_FILE_ACCESS));
  const Target target{&file};
  if (driver() < 0 || H5Pset_driver(access.get(), driver(), &target) < 0) throw std::bad_alloc();
  H5Handle made(H5Fcreate("new", H5F_ACC_TRUNC, creation, access.get()));
  if (!made) throw std::bad_alloc();
  return made;
}

}  // namespace chiaro::h5
