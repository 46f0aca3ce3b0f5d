// The functions of cuBLAS that chiaro calls. Opened by name on first use, as cuDNN is (cudnn_library.hpp).
#pragma once
#include <cublas_v2.h>

namespace chiaro::cublas {

struct Library {
  decltype(&::cublasGetStatusString) get_status_string;
  decltype(&::cublasCreate) create;
  decltype(&::cublasDestroy) destroy;
  decltype(&::cublasSetStream) set_stream;
  decltype(&::cublasSetWorkspace) set_workspace;
  decltype(&::cublasSetMathMode) set_math_mode;
  decltype(&::cublasGemmEx_64) gemm_ex;
};

// Throws Error when the library is missing.
const Library& library();

// Throws Error "cuBLAS: cannot <what>: <status>".
void check(cublasStatus_t status, const char* what);

}  // namespace chiaro::cublas
