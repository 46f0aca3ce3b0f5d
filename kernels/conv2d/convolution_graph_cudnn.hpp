// How a convolution problem becomes one cuDNN graph per pass, and which arrays around it need converting.
// Pure: needs no device, so tests see what runs on one.
//
// cuDNN takes padding that differs from side to side and beta = 1 as they are. Not offered by its precompiled
// engines, and what is done instead:
//   bf16 x with fp32 y         x is widened to fp32, the weights are bf16 values in fp32, and TF32, whose 10
//   bits
//                              of mantissa hold every bf16 value, multiplies them: the sums are the same.
//   bf16 x with fp32 dy        dy is rounded to bf16 first.
//   bf16 dw into fp32          dw is written in bf16 and then added to the fp32 gradient.
//   ReLU without bias          a bias of zeros.
//   fp32 bias beside bf16      the bias is rounded to bf16 first.
#pragma once
#include "kernels/conv2d/conv2d.hpp"
#include "kernels/cuda/cudnn_graph.hpp"

namespace chiaro::conv2d {

enum TensorId : cudnn::Graph::Id { kX = 1, kW, kY, kBias, kOldY };  // kX, kW, kY also of dx, dw, dy

struct PassGraph {
  cudnn::Graph graph;
  cudnn::Math math = cudnn::Math::Matrix;
  DType dtype = DType::F32;  // of all tensors of the graph
  bool biased = false;       // reads kBias, dtype, (K)
  bool adds_old_y = false;   // reads kOldY; without it, an accumulating forward pass adds to y through beta
};

// accumulate: of the gradient; the forward pass goes by the problem.
PassGraph make_pass_graph(const Problem& problem, Pass pass, bool accumulate, bool tf32);

// A text that is equal exactly for equal graphs.
std::string pass_graph_key(const Problem& problem, Pass pass, bool accumulate, bool tf32);

}  // namespace chiaro::conv2d
