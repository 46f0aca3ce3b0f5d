// Shared by the reader and the writer of HDF5 files; not for other folders.
#pragma once
#include <hdf5.h>

#include <string>

#include "engine/io/h5_file.hpp"

namespace chiaro::h5 {

static_assert(sizeof(hid_t) == sizeof(std::int64_t));

// Before anything else. HDF5 keeps the switch for its error printing per thread; what it would do when the program
// ends is not wanted, because it dies there when an allocation has failed.
inline void silence() {
  static const bool stays = H5dont_atexit() >= 0;
  static_cast<void>(stays);
  thread_local const bool done = [] { return H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0; }();
  static_cast<void>(done);
}

// HDF5 takes "a/b" and "/a/b" alike; messages show the latter.
inline std::string absolute(const std::string& name) {
  return name.starts_with('/') ? name : "/" + name;
}

// IEEE 754 binary16 with the fields that h5py gives it.
inline H5Handle half_type() {
  H5Handle type(H5Tcopy(H5T_IEEE_F32LE));
  H5Tset_fields(type.get(), 15, 10, 5, 0, 10);
  H5Tset_size(type.get(), 2);
  H5Tset_ebias(type.get(), 15);
  return type;
}

}  // namespace chiaro::h5
