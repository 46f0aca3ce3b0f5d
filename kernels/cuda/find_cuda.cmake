# Sets CHIARO_HAVE_CUDA or CHIARO_CHECK_CUDA and, when one is ON, enables the CUDA language and makes the target
# chiaro_cuda.
#
# CHIARO_CUDA=AUTO takes what is there, ON fails when something is missing, OFF looks for nothing. CHECK builds
# programs for the CPU alone and, where there is a toolkit, the kernels with CUDA beside them, for the tests that
# need no GPU: what continuous integration can do.
#
# cuDNN and cuBLAS are not linked: the program opens them when it first uses a GPU (cudnn_library.hpp says why),
# so their headers are what a build needs. Their folders go into the run path of the build tree.
set(CHIARO_HAVE_CUDA OFF)
set(CHIARO_CHECK_CUDA OFF)
if(CHIARO_CUDA STREQUAL OFF)
  return()
endif()

set(missing "")
include(CheckLanguage)
# One binary for Ampere, Ada and Hopper, and PTX for what comes after.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 89-real 90a-real)
  if(NOT CHIARO_CUDA STREQUAL CHECK)
    list(APPEND CMAKE_CUDA_ARCHITECTURES 90-virtual)
  endif()
endif()
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  list(APPEND missing "nvcc (put it on the PATH or set CMAKE_CUDA_COMPILER)")
else()
  find_package(CUDAToolkit QUIET)
  if(NOT CUDAToolkit_FOUND OR CUDAToolkit_VERSION VERSION_LESS 12.0)
    list(APPEND missing "CUDA toolkit 12.0 or newer (found '${CUDAToolkit_VERSION}')")
  endif()
  find_path(CUBLAS_INCLUDE_DIR cublas_v2.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  find_library(CUBLAS_LIBRARY cublas HINTS ${CUDAToolkit_LIBRARY_DIR})
  if(NOT CUBLAS_INCLUDE_DIR)
    list(APPEND missing "cuBLAS (cublas_v2.h)")
  endif()
  find_path(CUDNN_INCLUDE_DIR cudnn_version.h HINTS ${CUDAToolkit_INCLUDE_DIRS} $ENV{CUDNN_HOME}/include)
  find_library(CUDNN_LIBRARY cudnn HINTS ${CUDAToolkit_LIBRARY_DIR} $ENV{CUDNN_HOME}/lib)
  set(CUDNN_VERSION "none")
  foreach(header cudnn_version_v9.h cudnn_version.h)
    if(CUDNN_INCLUDE_DIR AND EXISTS ${CUDNN_INCLUDE_DIR}/${header} AND CUDNN_VERSION STREQUAL "none")
      file(STRINGS ${CUDNN_INCLUDE_DIR}/${header} lines REGEX "^#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) [0-9]+")
      if(lines)
        string(REGEX REPLACE "#define CUDNN_[A-Z]+ " "" CUDNN_VERSION "${lines}")
        string(REPLACE ";" "." CUDNN_VERSION "${CUDNN_VERSION}")
      endif()
    endif()
  endforeach()
  if(CUDNN_VERSION STREQUAL "none" OR CUDNN_VERSION VERSION_LESS 9.8)
    list(APPEND missing "cuDNN 9.8 or newer (found ${CUDNN_VERSION}; CUDNN_HOME may name its folder)")
  endif()
endif()

if(missing)
  list(JOIN missing ", " missing)
  if(CHIARO_CUDA STREQUAL ON)
    message(FATAL_ERROR "CHIARO_CUDA=ON, but missing: ${missing}")
  endif()
  message(STATUS "No CUDA backend, and no check of its kernels; missing: ${missing}")
  return()
endif()

if(CHIARO_CUDA STREQUAL CHECK)
  set(CHIARO_CHECK_CUDA ON)
else()
  set(CHIARO_HAVE_CUDA ON)
endif()
enable_language(CUDA)
# CMake before 3.26 does not know how nvcc is asked for C++20, and would silently compile C++17.
if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_FLAGS_RELEASE "-O3")
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)  # a program must start where no CUDA library is installed

# Headers of the CUDA libraries, the static runtime, and how device code is compiled.
add_library(chiaro_cuda INTERFACE)
target_include_directories(chiaro_cuda SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS} ${CUBLAS_INCLUDE_DIR} ${CUDNN_INCLUDE_DIR})
target_link_libraries(chiaro_cuda INTERFACE CUDA::cudart_static ${CMAKE_DL_LIBS})
target_compile_options(chiaro_cuda INTERFACE
  "$<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-Xptxas=-warn-spills;-Xcompiler=-Wall,-Wextra,-Wno-missing-field-initializers>")
foreach(library ${CUDNN_LIBRARY} ${CUBLAS_LIBRARY})
  get_filename_component(folder ${library} DIRECTORY)
  list(APPEND CMAKE_BUILD_RPATH ${folder})
endforeach()
list(REMOVE_DUPLICATES CMAKE_BUILD_RPATH)
message(STATUS "CUDA backend: nvcc ${CMAKE_CUDA_COMPILER_VERSION}, cuDNN ${CUDNN_VERSION} (${CUDNN_INCLUDE_DIR}), "
               "cuBLAS (${CUBLAS_INCLUDE_DIR}), architectures ${CMAKE_CUDA_ARCHITECTURES}")
