// Convolutions with few channels on one side, where padding channels to a vector wastes most of the work.
#pragma once
#include <vector>

#include "kernels/conv2d/pass_plan.hpp"

namespace chiaro::conv2d {

inline constexpr int64_t kMaxColumnChannels = 4;  // on the side that has few

// A band of output rows of a column sum, and the R x 1 convolution of its input rows.
struct ColumnBand {
  int64_t y_row = 0, x_row = 0;  // first rows
  Problem problem;
};
// Empty when a band would lie in the padding.
std::vector<ColumnBand> column_bands(const Problem&);

// Forward, for few outputs; see column_sum_cpu.cpp.
std::unique_ptr<PassPlan> make_column_sum(Context&, const PassProblem&, std::string& refusal);

}  // namespace chiaro::conv2d
