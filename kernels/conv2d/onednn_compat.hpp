// Convolution primitive descriptors of oneDNN 2.x (made from operation descriptors) and 3.x (made directly).
// All functions return an empty descriptor when oneDNN has no implementation.
#pragma once
#include <oneapi/dnnl/dnnl.hpp>

#include "kernels/base/onednn.hpp"

namespace chiaro::conv2d {

struct OneDnnGeometry {
  dnnl::memory::desc x, w, bias, y;  // bias of size 0: none
  dnnl::memory::dims strides, pad_before, pad_after;
};

inline dnnl::primitive_attr onednn_attributes(bool accumulate = false, bool relu = false) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops ops;
  if (accumulate) ops.append_sum(1.f);
#if DNNL_VERSION_MAJOR >= 3
  if (relu) ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0.f, 0.f);
#else
  if (relu) ops.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, 0.f, 0.f);
#endif
  if (accumulate || relu) attr.set_post_ops(ops);
  return attr;
}

inline auto forward_descriptor(const OneDnnGeometry& g, const dnnl::primitive_attr& attr) {
  using Conv = dnnl::convolution_forward;
  const auto kind = dnnl::prop_kind::forward;
  const auto algorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return Conv::primitive_desc(onednn::engine(), kind, algorithm, g.x, g.w, g.bias, g.y, g.strides,
                              g.pad_before, g.pad_after, attr, true);
#else
  return Conv::primitive_desc(
      Conv::desc(kind, algorithm, g.x, g.w, g.bias, g.y, g.strides, g.pad_before, g.pad_after), attr,
      onednn::engine(), true);
#endif
}

// oneDNN wants a forward descriptor as a hint for the backward passes.
inline auto backward_data_descriptor(const OneDnnGeometry& g,
                                     const dnnl::convolution_forward::primitive_desc& hint) {
  using Conv = dnnl::convolution_backward_data;
  const auto algorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return Conv::primitive_desc(onednn::engine(), algorithm, g.x, g.w, g.y, g.strides, g.pad_before,
                              g.pad_after, hint, onednn_attributes(), true);
#else
  return Conv::primitive_desc(Conv::desc(algorithm, g.x, g.w, g.y, g.strides, g.pad_before, g.pad_after),
                              onednn_attributes(), onednn::engine(), hint, true);
#endif
}

inline auto backward_weights_descriptor(const OneDnnGeometry& g,
                                        const dnnl::convolution_forward::primitive_desc& hint) {
  using Conv = dnnl::convolution_backward_weights;
  const auto algorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return Conv::primitive_desc(onednn::engine(), algorithm, g.x, g.w, g.bias, g.y, g.strides, g.pad_before,
                              g.pad_after, hint, onednn_attributes(), true);
#else
  return Conv::primitive_desc(
      Conv::desc(algorithm, g.x, g.w, g.bias, g.y, g.strides, g.pad_before, g.pad_after), onednn_attributes(),
      onednn::engine(), hint, true);
#endif
}

}  // namespace chiaro::conv2d
