// 2-D convolution (cross-correlation, as in deep learning) with zero padding: forward and both gradients.
//   y[n,p,q,k]  = act(b[k] + sum_{r,s,c} x[n, p*stride + r - top, q*stride + s - left, c] * w[k,r,s,c] (+ old y))
//   dx[n,h,w,c] = sum of dy[n,p,q,k] * w[k,r,s,c] over the (p,q,k,r,s) that read x[n,h,w,c]
//   dw[k,r,s,c] = sum_{n,p,q} dy[n,p,q,k] * x[n, p*stride + r - top, q*stride + s - left, c]
//   db[k]       = sum_{n,p,q} dy[n,p,q,k]
// act is the identity or max(0, .).  P = floor((H + top + bottom - R) / stride) + 1, Q likewise.
// The gradients are those of the linear part: the caller has already applied the mask of act to dy.
//
// Layout: x, dx: (N,H,W,C), y, dy: (N,P,Q,K), NHWC dense, fp32 or bf16.  w, dw: KRSC, fp32.  b, db: (K), fp32.
// Sums: in fp32. With dtype bf16 the working weights are rounded to bf16, and so may an fp32 dy be.
// Workspace: aligned as base/alignment.hpp says, contents irrelevant before and after.
// Deterministic: for a given thread count.
// Errors: make() and every call throw Error for impossible problems and for arguments that do not fit.
// Source: Dumoulin and Visin 2016, arXiv:1603.07285; fast implementations by oneDNN, cuDNN and ourselves.
#pragma once
#include <memory>
#include <string>

#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::conv2d {

struct Padding {  // zeros around each picture
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  constexpr bool operator==(const Padding&) const = default;
};

struct Problem {
  Shape x;
  int64_t k = 0, r = 0, s = 0;  // output channels, filter rows, filter columns
  int64_t stride = 1;
  Padding pad;
  DType dtype = DType::F32;    // of x, dx and the working weights
  DType y_dtype = DType::F32;  // of y and dy: as dtype, or fp32 beside bf16
  bool bias = false, relu = false;
  bool accumulate = false;  // y = act(convolution + bias + old y or residual)

  Shape y() const;
  int64_t weight_count() const { return k * r * s * x.c; }
};
std::string to_string(const Problem&);

// The packed_key of weights that are as given, KRSC, rounded to bf16.
inline constexpr const char* kRoundedKey = "krsc bf16";

enum class Pass { Forward, BackwardData, BackwardWeights };
constexpr const char* name_of(Pass pass) {
  return pass == Pass::Forward ? "forward" : pass == Pass::BackwardData ? "data gradient" : "weight gradient";
}

// How many threads a plan on the CPU computes with: the context's, or the one that calls it. The second is
// for calls from inside a parallel loop, where each thread has plans of its own.
enum class Threads { All, One };

// Everything that is decided once per problem. Calls allocate nothing. One thread at a time.
class Plan {
 public:
  // Each pass has the first implementation that can do it, chosen when it is first asked about (the forward
  // pass at once): on the CPU as listed in cpu_plan.cpp, on CUDA devices cudnn, then implicit_gemm.
  // The pointers of all calls are the device's; on CUDA devices calls return before they have run.
  static std::unique_ptr<Plan> make(Context&, const Problem&, Threads threads = Threads::All);
  virtual ~Plan() = default;

  const Problem& problem() const { return problem_; }
  std::string implementation(Pass pass = Pass::Forward) const { return implementation_impl(pass); }
  std::string details() const { return details_impl(); }  // library kernels in use, for logs

  // Working weights of Forward or BackwardData. Plans with the same weights shape and equal keys can share
  // them.
  std::string packed_key(Pass) const;
  int64_t packed_bytes(Pass) const;
  void pack(Context&, Pass, const float* w, void* packed);  // w: KRSC; packed: 64-byte aligned, overwritten

  int64_t workspace_bytes(Pass) const;

  // The type in which forward() takes the bias: fp32, or y's where the library adds it in that.
  DType bias_dtype() const { return bias_dtype_impl(); }

  // bias is given exactly when the problem has one, here and as db below. residual: for problems that
  // accumulate, what takes the place of the old y: another tensor of y's shape and type; absent = y itself.
  void forward(Context&, ConstTensorView x, const void* packed, const void* bias, TensorView y,
               void* workspace, ConstTensorView residual = {});
  void backward_data(Context&, ConstTensorView dy, const void* packed, TensorView dx, GradientMode,
                     void* workspace);
  void backward_weights(Context&, ConstTensorView x, ConstTensorView dy, float* dw, float* db, GradientMode,
                        void* workspace);  // the mode holds for dw and db

 protected:
  Plan(const Problem& problem, const char* name) : problem_(problem), name_(name) {}

 private:
  virtual std::string implementation_impl(Pass) const { return name_; }
  virtual std::string details_impl() const = 0;
  virtual std::string packed_key_impl(Pass) const = 0;
  virtual int64_t packed_bytes_impl(Pass) const = 0;
  virtual void pack_impl(Context&, Pass, const float* w, void* packed) = 0;
  virtual int64_t workspace_bytes_impl(Pass) const = 0;
  // `accumulate`: GradientMode::Accumulate; otherwise Overwrite.
  virtual DType bias_dtype_impl() const { return DType::F32; }
  // Whether forward_impl() takes a residual; otherwise it has been copied to y, and null is passed.
  virtual bool takes_residual() const { return false; }
  virtual void forward_impl(Context&, const void* x, const void* packed, const void* bias,
                            const void* residual, void* y, void* workspace) = 0;
  virtual void backward_data_impl(Context&, const void* dy, const void* packed, void* dx, bool accumulate,
                                  void* workspace) = 0;
  virtual void backward_weights_impl(Context&, const void* x, const void* dy, float* dw, float* db,
                                     bool accumulate, void* workspace) = 0;
  void check(const char* call, const char* name, ConstTensorView, Shape, DType) const;
  void check_workspace(Pass, const void* workspace) const;

  Problem problem_;
  const char* name_;
};

}  // namespace chiaro::conv2d
