// Transposed convolution that doubles rows and columns: filter 3x3, stride 2, padding 1, output padding 1,
// with the meaning of PyTorch's ConvTranspose2d. No bias: a normalization follows.
//   y[n,h,w,k] = sum over the (p,q,r,s) with h = 2p + r - 1, w = 2q + s - 1 of x[n,p,q,c] * weights[c,r,s,k]
// It is the data gradient of the convolution from y to x (3x3, stride 2, one zero row above and one zero
// column to the left), and runs as such:
//   forward = that convolution's backward_data, backward_data = its forward, backward_weights = its
//   backward_weights with x and dy in exchanged roles.
//
// Layout: x, dx: (N,H,W,C), y, dy: (N,2H,2W,K), NHWC dense, fp32 or bf16, all of one dtype.  Weights and dw:
// KRSC of the matching convolution, (C,3,3,K), that is (input channel, row, column, output channel), fp32.
// PyTorch stores (C,K,3,3).  Sums run in fp32; with bf16 the working weights are rounded to bf16.
// Workspace: aligned as base/alignment.hpp says, contents irrelevant before and after.
// Deterministic: for a given thread count.
// Errors: make() and every call throw Error for impossible problems and for arguments that do not fit the
// problem.
// Source: Dumoulin and Visin 2016, arXiv:1603.07285, section 4.
#pragma once
#include <memory>
#include <string>

#include "kernels/conv2d/conv2d.hpp"

namespace chiaro::conv_transpose2d {

struct Problem {
  Shape x;
  int64_t k = 0;  // output channels
  DType dtype = DType::F32;

  Shape y() const { return {x.n, 2 * x.h, 2 * x.w, k}; }
  int64_t weight_count() const { return x.c * 9 * k; }
};
std::string to_string(const Problem&);
conv2d::Problem matching_convolution(const Problem&);  // from y to x

using conv2d::Pass;

// Everything that is decided once per problem. Calls allocate nothing. One thread at a time.
class Plan {
 public:
  // Use make(): it checks the problem and makes the convolution.
  Plan(const Problem& problem, std::unique_ptr<conv2d::Plan> convolution, int64_t alignment)
      : problem_(problem), convolution_(std::move(convolution)), alignment_(alignment) {}
  static std::unique_ptr<Plan> make(Context&, const Problem&);

  const Problem& problem() const { return problem_; }
  std::string implementation() const { return convolution_->implementation(opposite(Pass::Forward)); }

  // Working weights of Forward or BackwardData. Plans with the same channels and equal keys can share them.
  std::string packed_key(Pass pass) const { return convolution_->packed_key(opposite(pass)); }
  int64_t packed_bytes(Pass pass) const { return convolution_->packed_bytes(opposite(pass)); }
  void pack(Context&, Pass, const float* w,
            void* packed);  // w: (C,3,3,K); packed: 64-byte aligned, overwritten

  int64_t workspace_bytes(Pass) const;

  void forward(Context&, ConstTensorView x, const void* packed, TensorView y, void* workspace);
  void backward_data(Context&, ConstTensorView dy, const void* packed, TensorView dx, GradientMode,
                     void* workspace);
  void backward_weights(Context&, ConstTensorView x, ConstTensorView dy, float* dw, GradientMode,
                        void* workspace);

 private:
  static Pass opposite(Pass pass);
  int64_t fresh_dx_bytes() const;
  void check(const char* call, const char* name, ConstTensorView, Shape) const;

  Problem problem_;
  std::unique_ptr<conv2d::Plan> convolution_;
  int64_t alignment_;  // of the workspace's parts
};

}  // namespace chiaro::conv_transpose2d
