// The functions of cuDNN that chiaro calls, and how their errors are reported.
//
// The library is opened by name on first use instead of being linked. So one binary starts on machines
// without any NVIDIA library and says there what is missing; and it starts fast: `inspect_engine --version`
// takes 17 ms of CPU time, linked to cuDNN and cuBLAS 101 ms (24 against 155 ms on the clock of a busy
// machine), which every program would pay, also where only the CPU is wanted. The build tree's programs find
// the libraries of the build (its run path), others through the loader's usual folders and LD_LIBRARY_PATH.
#pragma once
#include <cudnn.h>

#include <string>

#include "kernels/base/error.hpp"

#if CUDNN_VERSION < 90800
#error "cuDNN 9.8 or newer is needed: plans are made from device properties"
#endif

namespace chiaro::cudnn {

struct Library {
  decltype(&::cudnnGetVersion) get_version;
  decltype(&::cudnnGetErrorString) get_error_string;
  decltype(&::cudnnGetLastErrorString) get_last_error_string;
  decltype(&::cudnnCreate) create;
  decltype(&::cudnnDestroy) destroy;
  decltype(&::cudnnSetStream) set_stream;
  decltype(&::cudnnBackendCreateDescriptor) create_descriptor;
  decltype(&::cudnnBackendDestroyDescriptor) destroy_descriptor;
  decltype(&::cudnnBackendSetAttribute) set_attribute;
  decltype(&::cudnnBackendGetAttribute) get_attribute;
  decltype(&::cudnnBackendFinalize) finalize;
  decltype(&::cudnnBackendExecute) execute;
};

// Throws Error when the library is missing or older than 9.8.
const Library& library();

std::string version_text();  // "9.19.0"

// What cuDNN answers, as against what chiaro itself finds wrong.
struct LibraryError : Error {
  using Error::Error;
};

// Throws LibraryError "cuDNN: cannot <what>: <status>: <cuDNN's last message>".
void check(cudnnStatus_t status, const char* what);

}  // namespace chiaro::cudnn
