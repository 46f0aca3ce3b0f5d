// Convolution by our own CUDA kernels (implicit_gemm_cuda.hpp). The working weights are fp32, in bf16
// problems rounded through bf16. An fp32 dy beside bf16 is not rounded.
#include <algorithm>

#include "kernels/base/alignment.hpp"
#include "kernels/conv2d/implementations.hpp"
#include "kernels/conv2d/implicit_gemm_cuda.hpp"
#include "kernels/conv2d/sums_cuda.hpp"
#include "kernels/cuda/device.hpp"

namespace chiaro::conv2d {

namespace {

using chiaro::cuda::stream_of;

class ImplicitGemmPlan final : public Plan {
 public:
  explicit ImplicitGemmPlan(const Problem& problem) : Plan(problem, "implicit_gemm") {}

 private:
  std::string details_impl() const override { return "64x64 tiles"; }

  std::string packed_key_impl(Pass pass) const override {
    return fmt::format("implicit_gemm {} {}", pass == Pass::Forward ? "krsc" : "turned crsk",
                       name_of(problem().dtype));
  }
  int64_t packed_bytes_impl(Pass) const override { return problem().weight_count() * size_of(DType::F32); }
  void pack_impl(Context& context, Pass pass, const float* w, void* packed) override {
    const CudaStream stream = stream_of(context);
    auto* to = static_cast<float*>(packed);
    const int64_t count = problem().weight_count();
    if (pass == Pass::BackwardData)
      cuda::turn_filters(stream, problem(), w, to);
    else if (problem().dtype == DType::BF16)
      cuda::round_through_bf16(stream, to, w, count);
    else
      cuda::copy(stream, DType::F32, to, DType::F32, w, count);
  }

  int64_t y_rows() const { return problem().y().count() / problem().k; }
  int64_t bias_bytes() const {
    return problem().bias ? cuda::column_sum_workspace_bytes(y_rows(), problem().k) : 0;
  }
  // The bias gradient's sums are added up before the weight gradient's begin, so they share memory.
  int64_t workspace_bytes_impl(Pass pass) const override {
    if (pass != Pass::BackwardWeights) return 0;
    return std::max(cuda::backward_weights_workspace_bytes(problem()), bias_bytes());
  }

  void forward_impl(Context& context, const void* x, const void* packed, const void* bias, const void*,
                    void* y, void* workspace) override {
    require_device_alignment(workspace);
    cuda::implicit_gemm_forward(stream_of(context), problem(), x, static_cast<const float*>(packed),
                                static_cast<const float*>(bias), y);
  }

  void backward_data_impl(Context& context, const void* dy, const void* packed, void* dx, bool accumulate,
                          void* workspace) override {
    require_device_alignment(workspace);
    cuda::implicit_gemm_backward_data(stream_of(context), problem(), dy, static_cast<const float*>(packed),
                                      dx, accumulate);
  }

  void backward_weights_impl(Context& context, const void* x, const void* dy, float* dw, float* db,
                             bool accumulate, void* workspace) override {
    require_device_alignment(workspace);
    const CudaStream stream = stream_of(context);
    if (db) cuda::column_sum(stream, problem().y_dtype, dy, y_rows(), problem().k, db, accumulate, workspace);
    cuda::implicit_gemm_backward_weights(stream, problem(), x, dy, dw, accumulate, workspace);
  }
};

}  // namespace

std::unique_ptr<Plan> make_implicit_gemm_plan(Context&, const Problem& problem, std::string&) {
  return std::make_unique<ImplicitGemmPlan>(problem);
}

}  // namespace chiaro::conv2d
