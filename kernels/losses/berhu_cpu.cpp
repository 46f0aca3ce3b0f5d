// berHu in two passes, because c comes first.
#include <cmath>

#include "kernels/base/blocks.hpp"
#include "kernels/losses/losses.hpp"

namespace chiaro::losses::cpu {

namespace {

struct Residuals {
  double largest = 0, valid = 0;
};

template <class T>
Residuals survey(const T* prediction, const float* target, std::int64_t length) {
  float largest = 0;
  std::int64_t valid = 0;
#pragma omp simd reduction(max : largest) reduction(+ : valid)
  for (std::int64_t i = 0; i < length; ++i) {
    const bool counts = target[i] > 0.0f;
    const float d = counts ? std::abs(float(prediction[i]) - target[i]) : 0.0f;
    largest = d > largest ? d : largest;
    valid += counts;
  }
  return {largest, double(valid)};
}

// half_inverse = 1 / (2 c)
template <class T>
double add_up(const T* prediction, const float* target, float c, double half_inverse, std::int64_t length) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < length; ++i) {
    const bool counts = target[i] > 0.0f;
    const double d = counts ? std::abs(float(prediction[i]) - target[i]) : 0.0f;
    sum += d <= c ? d : (d * d + double(c) * c) * half_inverse;
  }
  return sum;
}

template <class T, class D>
void gradients(const T* prediction, const float* target, float c, float factor, float slope, D* to,
               bool accumulate, std::int64_t length) {
#pragma omp simd
  for (std::int64_t i = 0; i < length; ++i) {
    const float d = target[i] > 0.0f ? float(prediction[i]) - target[i] : 0.0f;
    const float sign = d > 0.0f ? factor : d < 0.0f ? -factor : 0.0f;
    store_gradient(to[i], std::abs(d) <= c ? sign : d * slope, accumulate);
  }
}

}  // namespace

std::int64_t berhu_workspace_bytes(Shape prediction) {
  return divide_up(prediction.count(), kElementBlock) * std::int64_t(sizeof(Residuals));
}

void berhu(ConstTensorView prediction, ConstTensorView target, const Request& request) {
  const std::int64_t count = prediction.shape.count(), blocks = divide_up(count, kElementBlock);
  const float* truth = target.as<float>();
  visit_dtype(prediction.dtype, [&](auto zero) {
    const auto* found = prediction.as<decltype(zero)>();
    Residuals* residuals = static_cast<Residuals*>(request.workspace);
    parallel_blocks(count, kElementBlock, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
      residuals[block] = survey(found + begin, truth + begin, end - begin);
    });
    Residuals all;
    for (std::int64_t block = 0; block < blocks; ++block) {
      all.largest = std::max(all.largest, residuals[block].largest);
      all.valid += residuals[block].valid;
    }
    const float c = kBerhuFraction * float(all.largest);
    const double inverse_valid = all.valid > 0 ? 1 / all.valid : 0;
    const double half_inverse = c > 0 ? 0.5 / double(c) : 0;
    const float factor = float(request.gradient_scale * double(float(inverse_valid)));
    const float slope = c > 0 ? factor / c : 0.0f;
    double* partial = static_cast<double*>(request.workspace);
    visit_dtype(request.gradient_dtype(), [&](auto gradient_zero) {
      auto* to = request.gradient_as<decltype(gradient_zero)>();
      parallel_blocks(count, kElementBlock, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
        const auto length = end - begin;
        if (request.value) partial[block] = add_up(found + begin, truth + begin, c, half_inverse, length);
        if (to)
          gradients(found + begin, truth + begin, c, factor, slope, to + begin, request.accumulates(),
                    length);
      });
    });
    if (!request.value) return;
    double sum = 0;
    for (std::int64_t block = 0; block < blocks; ++block) sum += partial[block];
    *request.value = float(request.scale * inverse_valid * sum);
  });
}

}  // namespace chiaro::losses::cpu
