// Every call of the CUDA runtime is checked: a failure becomes an Error that says what was being done. Kernel
// launches are checked by launch() in base/cuda_portable.hpp.
#pragma once
#include <cuda_runtime_api.h>

namespace chiaro::cuda {

// "CUDA: cannot <what>: <the runtime's explanation> (<its name>)".
void check(cudaError_t status, const char* what);

}  // namespace chiaro::cuda
