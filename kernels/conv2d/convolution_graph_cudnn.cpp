#include "kernels/conv2d/convolution_graph_cudnn.hpp"

namespace chiaro::conv2d {

namespace {

cudnnDataType_t type_of(DType dtype) {
  return dtype == DType::F32 ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;
}

cudnn::Extents extents_of(Shape s) {
  return {s.n, s.c, s.h, s.w};
}

bool widens_x(const Problem& p, Pass pass) {
  return pass == Pass::Forward && p.dtype != p.y_dtype;
}

const char* key_of(Pass pass) {
  return pass == Pass::Forward        ? "forward"
         : pass == Pass::BackwardData ? "backward data"
                                      : "backward weights";
}

}  // namespace

PassGraph make_pass_graph(const Problem& p, Pass pass, bool accumulate, bool tf32) {
  PassGraph g;
  g.dtype = widens_x(p, pass) ? DType::F32 : p.dtype;
  g.math = g.dtype == DType::BF16 || widens_x(p, pass) || tf32 ? cudnn::Math::Matrix : cudnn::Math::Strict;
  const auto type = type_of(g.dtype);
  const auto y_extents = extents_of(p.y());
  const auto x = g.graph.tensor(kX, type, extents_of(p.x));
  const auto w = g.graph.tensor(kW, type, {p.k, p.x.c, p.r, p.s});
  const auto y = g.graph.tensor(kY, type, y_extents);
  cudnn::Convolution c{.pad_before = {p.pad.top, p.pad.left},
                       .pad_after = {p.pad.bottom, p.pad.right},
                       .stride = p.stride,
                       .beta = accumulate && pass != Pass::Forward ? 1.f : 0.f};
  if (pass == Pass::BackwardData) {
    g.graph.convolution_backward_data(x, w, y, c);
    return g;
  }
  if (pass == Pass::BackwardWeights) {
    g.graph.convolution_backward_filter(x, w, y, c);
    return g;
  }
  g.biased = p.bias || p.relu;
  if (!g.biased) {
    if (p.accumulate) c.beta = 1.f;
    g.graph.convolution_forward(x, w, y, c);
    return g;
  }
  auto sum = g.graph.intermediate(y_extents);
  g.graph.convolution_forward(x, w, sum, c);
  if (p.accumulate) {
    g.adds_old_y = true;
    const auto added = g.graph.intermediate(y_extents);
    g.graph.add(sum, g.graph.tensor(kOldY, type, y_extents), added);
    sum = added;
  }
  const auto biased = p.relu ? g.graph.intermediate(y_extents) : y;
  g.graph.add(sum, g.graph.tensor(kBias, type, {1, p.k, 1, 1}), biased);
  if (p.relu) g.graph.relu(biased, y);
  return g;
}

std::string pass_graph_key(const Problem& p, Pass pass, bool accumulate, bool tf32) {
  Problem same = p;
  if (pass != Pass::Forward) {  // the gradients are those of the linear part
    same.bias = same.relu = same.accumulate = false;
    same.y_dtype = same.dtype;
  }
  return fmt::format("{}{} {}{}", key_of(pass), pass != Pass::Forward && accumulate ? " +=" : "",
                     to_string(same), tf32 && same.dtype == DType::F32 ? " tf32" : "");
}

}  // namespace chiaro::conv2d
