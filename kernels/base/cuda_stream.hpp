// CUDA's stream type, named without CUDA's headers: host code that declares launchers builds on any machine.
#pragma once

struct CUstream_st;

namespace chiaro {

using CudaStream = CUstream_st*;  // the same type as cudaStream_t

}  // namespace chiaro
