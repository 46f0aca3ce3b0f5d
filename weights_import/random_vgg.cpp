#include "weights_import/random_vgg.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "engine/rng.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"
#include "layers/networks/vgg/vgg.hpp"

namespace chiaro {
namespace {

// Box-Muller; one draw of 128 bits gives two values.
void fill_gaussian(const Rng& rng, std::vector<double>& values) {
  const auto uniform = [](std::uint32_t low, std::uint32_t high) {
    return (static_cast<double>((std::uint64_t{high} << 32 | low) >> 11) + 0.5) * 0x1p-53;  // in (0, 1)
  };
  const auto size = static_cast<std::int64_t>(values.size());
  parallel_for((size + 1) / 2, [&](std::int64_t pair) {
    const PhiloxBlock bits = rng(static_cast<std::uint64_t>(pair));
    const double radius = std::sqrt(-2 * std::log(uniform(bits[0], bits[1])));
    const double angle = 2 * std::numbers::pi * uniform(bits[2], bits[3]);
    values[2 * pair] = radius * std::cos(angle);
    if (2 * pair + 1 < size) values[2 * pair + 1] = radius * std::sin(angle);
  });
}

double dot(const double* a, const double* b, std::int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

// Takes the direction of the unit vector `done` out of row.
void project_out(const double* done, double* row, std::int64_t columns) {
  const double along = dot(done, row, columns);
  for (std::int64_t c = 0; c < columns; ++c) row[c] -= along * done[c];
}

// Makes the rows of a (rows x columns, rows <= columns) orthonormal: modified Gram-Schmidt, each row taken
// out of all later ones once it is done. Gaussian rows are well conditioned, so one pass in double is exact
// enough. A block of rows is finished before the rows behind it see it: the same arithmetic, with few
// parallel loops.
void orthonormalize_rows(std::vector<double>& a, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t kBlock = 32;
  const auto row = [&](std::int64_t i) { return a.data() + i * columns; };
  for (std::int64_t first = 0; first < rows; first += kBlock) {
    const std::int64_t end = std::min(first + kBlock, rows);
    for (std::int64_t i = first; i < end; ++i) {
      const double scale = 1 / std::sqrt(dot(row(i), row(i), columns));
      for (std::int64_t c = 0; c < columns; ++c) row(i)[c] *= scale;
      for (std::int64_t later = i + 1; later < end; ++later) project_out(row(i), row(later), columns);
    }
    parallel_for(rows - end, [&](std::int64_t later) {
      for (std::int64_t i = first; i < end; ++i) project_out(row(i), row(end + later), columns);
    });
  }
}

// K filters of 9 C values, see the header.
std::vector<float> orthogonal_filters(const VggConvolution& conv, const Rng& rng) {
  const std::int64_t filters = conv.out_channels, inputs = 9 * conv.in_channels;
  const bool wide = filters <= inputs;
  const std::int64_t rows = std::min(filters, inputs), columns = std::max(filters, inputs);
  std::vector<double> basis(static_cast<std::size_t>(rows * columns));
  fill_gaussian(rng, basis);
  orthonormalize_rows(basis, rows, columns);
  const double gain = std::sqrt(2.0 * static_cast<double>(filters) / static_cast<double>(rows));
  std::vector<float> values(basis.size());
  for (std::int64_t k = 0; k < filters; ++k) {
    for (std::int64_t i = 0; i < inputs; ++i) {
      values[k * inputs + i] = static_cast<float>(gain * basis[wide ? k * columns + i : i * columns + k]);
    }
  }
  return values;
}

}  // namespace

WeightsFile random_vgg(int depth, int width, std::uint64_t seed, const std::string& up_to_layer) {
  const std::vector<VggConvolution> convs =
      convolutions({.depth = depth, .width = width, .last_conv = up_to_layer});
  WeightsFile weights;
  weights.kind = fmt::format("vgg{}", depth);
  for (const VggConvolution& conv : convs) {
    const auto shape = conv.parameters()[0].shape;
    const Rng rng(seed, static_cast<std::uint32_t>(16 * conv.block + conv.index));
    weights.parameters.push_back({conv.name() + ".weight", shape, orthogonal_filters(conv, rng)});
    weights.parameters.push_back({conv.name() + ".bias",
                                  {conv.out_channels},
                                  std::vector<float>(static_cast<std::size_t>(conv.out_channels))});
  }
  weights.architecture = to_json(Vgg{.depth = depth, .width = width, .last_conv = convs.back().name()});
  weights.preprocess = to_json(Preprocess{{123.68, 116.779, 103.939}, {1, 1, 1}, "caffe"});
  weights.provenance = nlohmann::ordered_json{{"source", "random"},
                                              {"seed", seed},
                                              {"tool", "chiaro random_vgg"},
                                              {"note", "random orthogonal filters: not trained on anything"}}
                           .dump();
  return weights;
}

}  // namespace chiaro
