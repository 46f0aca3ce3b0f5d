// Setting and reading attributes of cuDNN's descriptors with the type that each C++ type stands for.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/cuda/cudnn_library.hpp"

namespace chiaro::cudnn {

template <class T>
constexpr cudnnBackendAttributeType_t attribute_type() {
  if constexpr (std::is_same_v<T, cudnnBackendDescriptor_t>)
    return CUDNN_TYPE_BACKEND_DESCRIPTOR;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return CUDNN_TYPE_INT64;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return CUDNN_TYPE_INT32;
  else if constexpr (std::is_same_v<T, float>)
    return CUDNN_TYPE_FLOAT;
  else if constexpr (std::is_same_v<T, bool>)
    return CUDNN_TYPE_BOOLEAN;
  else if constexpr (std::is_same_v<T, char>)
    return CUDNN_TYPE_CHAR;
  else if constexpr (std::is_same_v<T, cudnnDataType_t>)
    return CUDNN_TYPE_DATA_TYPE;
  else if constexpr (std::is_same_v<T, cudnnBackendHeurMode_t>)
    return CUDNN_TYPE_HEUR_MODE;
  else if constexpr (std::is_same_v<T, cudnnConvolutionMode_t>)
    return CUDNN_TYPE_CONVOLUTION_MODE;
  else if constexpr (std::is_same_v<T, cudnnPointwiseMode_t>)
    return CUDNN_TYPE_POINTWISE_MODE;
  else if constexpr (std::is_same_v<T, cudnnBackendNumericalNote_t>)
    return CUDNN_TYPE_NUMERICAL_NOTE;
  else {
    static_assert(std::is_same_v<T, cudnnBackendBehaviorNote_t>, "a type that cuDNN does not know");
    return CUDNN_TYPE_BEHAVIOR_NOTE;
  }
}

template <class T>
void set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, const T* values, std::size_t count) {
  check(library().set_attribute(d, name, attribute_type<T>(), static_cast<std::int64_t>(count), values),
        "set an attribute of a graph");
}
template <class T>
void set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, const T& value) {
  set(d, name, &value, 1);
}
// Addresses. A descriptor is a void* too, so the C++ type cannot tell them apart.
inline void set_pointers(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, void* const* values,
                         std::size_t count) {
  check(library().set_attribute(d, name, CUDNN_TYPE_VOID_PTR, static_cast<std::int64_t>(count), values),
        "set addresses of a graph's tensors");
}
template <class T, std::size_t N>
void set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, const std::array<T, N>& values) {
  set(d, name, values.data(), N);
}

// Up to `most` values; none where the attribute is not there.
template <class T>
std::vector<T> get(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, std::size_t most) {
  std::vector<T> values(most);
  std::int64_t count = 0;
  const auto status = library().get_attribute(d, name, attribute_type<T>(), static_cast<std::int64_t>(most),
                                              &count, values.data());
  values.resize(status == CUDNN_STATUS_SUCCESS ? std::min(most, static_cast<std::size_t>(count)) : 0);
  return values;
}

inline void finalize(cudnnBackendDescriptor_t d, const char* what) {
  check(library().finalize(d), what);
}

}  // namespace chiaro::cudnn
