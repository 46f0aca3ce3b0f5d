// Convolution to few channels with a filter of several columns, stride 1.
//
// A library convolution pads the output channels to its vector width: 3 channels cost as much as 16. So the
// filter's columns become output channels of a convolution with R x 1 filters, and a second pass adds what
// belongs together:
//   z[p,v,s*K+k] = sum_{r,c} x[p+r-top,v,c] * w[k,r,s,c]
//   y[p,q,k]     = act(b[k] + sum_s z[p,q+s-left,s*K+k] (+ old y))
// 9x9 with 3 outputs: 27 (padded to 32) instead of 9 * 16 channel columns. z is fp32 and is made in bands of
// rows that stay in the cache. Deterministic. Working weights: those of the R x 1 convolution.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernels/conv2d/conv2d.hpp"

namespace chiaro::conv2d {

class ColumnSum {
 public:
  static constexpr int64_t kMaxOutputs = 4;

  // Use make(): it adds the bands.
  explicit ColumnSum(const Problem& problem)
      : problem_(problem), staging_(static_cast<std::size_t>(problem.weight_count())) {}
  // nullptr and a reason when the problem does not fit or oneDNN has no fast R x 1 convolution.
  static std::unique_ptr<ColumnSum> make(Context&, const Problem&, std::string& refusal);

  std::string packed_key() const { return "columns " + plans_.front()->packed_key(Pass::Forward); }
  int64_t packed_bytes() const { return plans_.front()->packed_bytes(Pass::Forward); }
  void pack(Context&, const float* w, void* packed);  // w: KRSC of the problem
  int64_t workspace_bytes() const;
  // `accumulate` replaces the problem's.
  void run(Context&, const void* x, const void* packed, const float* bias, void* y, bool accumulate,
           void* workspace);
  std::string details() const {
    return fmt::format("{}x1 in {} bands, {}", problem_.r, bands_.size(), plans_.front()->details());
  }

 private:
  struct Band {
    int64_t y_row, x_row;  // first rows
    Plan* plan;            // knows how many
  };
  Plan* band_plan(Context&, const Problem&, std::string& refusal);
  int64_t z_bytes() const;
  template <class U>
  void add_columns(const float* z, int64_t rows, const float* bias, U* y, bool accumulate) const;

  Problem problem_;
  std::vector<float> staging_;  // weights on their way through pack()
  std::vector<std::unique_ptr<Plan>> plans_;
  std::vector<Band> bands_;
};

}  // namespace chiaro::conv2d
