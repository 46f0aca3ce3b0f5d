#include "kernels/cuda/cudnn_graph.hpp"

#include "kernels/base/error.hpp"
#include "kernels/cuda/cudnn_attributes.hpp"

namespace chiaro::cudnn {

Descriptors::~Descriptors() {
  for (auto d = owned_.rbegin(); d != owned_.rend(); ++d) library().destroy_descriptor(*d);
}

cudnnBackendDescriptor_t Descriptors::make(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t d = nullptr;
  check(library().create_descriptor(type, &d), "create a descriptor");
  owned_.push_back(d);
  return d;
}

DeviceProperties::DeviceProperties(int device)
    : descriptor_(owner_.make(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR)) {
  set(descriptor_, CUDNN_ATTR_DEVICEPROP_DEVICE_ID, std::int32_t{device});
  finalize(descriptor_, "read the GPU's properties");
}

DeviceProperties::DeviceProperties(const std::string& json)
    : descriptor_(owner_.make(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR)) {
  set(descriptor_, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, json.data(), json.size());
  finalize(descriptor_, "take the described GPU's properties");
}

Graph::Tensor Graph::make_tensor(Id id, cudnnDataType_t type, Extents extents, bool is_virtual) {
  const auto [n, c, h, w] = extents;
  const Tensor d = owner_.make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  set(d, CUDNN_ATTR_TENSOR_DATA_TYPE, type);
  set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, extents);
  set(d, CUDNN_ATTR_TENSOR_STRIDES, Extents{h * w * c, 1, w * c, c});
  set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
  set(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{16});
  if (is_virtual) set(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, true);
  finalize(d, "describe a tensor");
  return d;
}

Graph::Tensor Graph::tensor(Id id, cudnnDataType_t type, Extents extents) {
  std::int64_t bytes = type == CUDNN_DATA_FLOAT ? 4 : 2;
  for (const auto extent : extents) bytes *= extent;
  memory_.push_back({id, bytes});
  return make_tensor(id, type, extents, false);
}

Graph::Tensor Graph::intermediate(Extents extents) {
  return make_tensor(next_intermediate_++, CUDNN_DATA_FLOAT, extents, true);
}

// The three kinds of convolution differ in the names of their attributes only.
struct Graph::ConvolutionNames {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
};

void Graph::convolution(const ConvolutionNames& names, Tensor x, Tensor w, Tensor y, const Convolution& c) {
  using Pair = std::array<std::int64_t, 2>;
  const auto d = owner_.make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  set(d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
  set(d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  set(d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  set(d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, c.pad_before);
  set(d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, c.pad_after);
  set(d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, Pair{c.stride, c.stride});
  set(d, CUDNN_ATTR_CONVOLUTION_DILATIONS, Pair{1, 1});
  finalize(d, "describe a convolution");
  const auto operation = owner_.make(names.type);
  set(operation, names.x, x);
  set(operation, names.w, w);
  set(operation, names.y, y);
  set(operation, names.convolution, d);
  set(operation, names.alpha, 1.f);
  set(operation, names.beta, c.beta);
  finish(operation, "put a convolution into a graph");
}

void Graph::convolution_forward(Tensor x, Tensor w, Tensor y, const Convolution& c) {
  convolution({CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
              x, w, y, c);
}

void Graph::convolution_backward_data(Tensor dx, Tensor w, Tensor dy, const Convolution& c) {
  convolution(
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
      dx, w, dy, c);
}

void Graph::convolution_backward_filter(Tensor x, Tensor dw, Tensor dy, const Convolution& c) {
  convolution(
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
      x, dw, dy, c);
}

void Graph::pointwise(cudnnPointwiseMode_t mode, Tensor x, Tensor b, Tensor y) {
  const auto d = owner_.make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  set(d, CUDNN_ATTR_POINTWISE_MODE, mode);
  set(d, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  finalize(d, "describe a pointwise operation");
  const auto operation = owner_.make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  set(operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, d);
  set(operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (b) set(operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
  set(operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  finish(operation, "put a pointwise operation into a graph");
}

void Graph::add(Tensor a, Tensor b, Tensor y) {
  pointwise(CUDNN_POINTWISE_ADD, a, b, y);
}

void Graph::relu(Tensor x, Tensor y) {
  pointwise(CUDNN_POINTWISE_RELU_FWD, x, nullptr, y);
}

void Graph::finish(cudnnBackendDescriptor_t operation, const char* what) {
  finalize(operation, what);
  operations_.push_back(operation);
}

}  // namespace chiaro::cudnn
