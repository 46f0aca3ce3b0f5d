// How HDF5 writes: into a NewFile, through a file driver that never fails. The HDF5 library keeps a broken state
// after a failed write, from which it dies at the end of the program; so it never hears of one. The NewFile does,
// and whoever writes asks it. Not for other folders.
#pragma once
#include <hdf5.h>

#include "engine/file_util.hpp"
#include "engine/io/h5_file.hpp"

namespace chiaro::h5 {

// A new HDF5 file whose bytes go into `file`, which outlives it. creation: as in H5Fcreate.
H5Handle create_file(NewFile& file, hid_t creation);

}  // namespace chiaro::h5
