#include "kernels/cuda/cublas_library.hpp"

#include "kernels/base/error.hpp"
#include "kernels/cuda/shared_library.hpp"

namespace chiaro::cublas {

namespace {

Library open() {
  const std::string names[] = {fmt::format("libcublas.so.{}", CUBLAS_VER_MAJOR)};
  const cuda::SharedLibrary file("cuBLAS", names);
  Library l{};
  file.load(l.get_status_string, "cublasGetStatusString");
  // The header renames these to their second version.
  file.load(l.create, "cublasCreate_v2");
  file.load(l.destroy, "cublasDestroy_v2");
  file.load(l.set_stream, "cublasSetStream_v2");
  file.load(l.set_workspace, "cublasSetWorkspace_v2");
  file.load(l.set_math_mode, "cublasSetMathMode");
  file.load(l.gemm_ex, "cublasGemmEx_64");
  return l;
}

}  // namespace

const Library& library() {
  static const Library opened = open();
  return opened;
}

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error("cuBLAS: cannot {}: {}", what, library().get_status_string(status));
}

}  // namespace chiaro::cublas
