#include "apps/training/distill_start.hpp"

#include <algorithm>
#include <map>

#include "engine/linear_algebra.hpp"
#include "engine/session.hpp"
#include "engine/transfer.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/gemm/gemm.hpp"
#include "layers/conv2d_layer.hpp"
#include "layers/networks/vgg/vgg_graph.hpp"

namespace chiaro {

namespace {

constexpr std::int64_t kBatches = 12;
constexpr double kRidge = 1e-4;  // of the mean variance: a few hundred pixels must do for deep layers

const NamedTensor& tensor_of(const WeightsFile& weights, const std::string& name) {
  const NamedTensor* found = weights.find(name);
  require(found != nullptr, "the network to imitate has no '{}'", name);
  return *found;
}

std::span<float> values_of(ParamStore& params, const std::string& name) {
  const auto* entry = params.find(name);
  require(entry != nullptr, "the network in factors has no '{}'", name);
  return params.values().subspan(static_cast<std::size_t>(entry->offset),
                                 static_cast<std::size_t>(entry->shape.count()));
}

// Means and covariances of responses x and y of n channels each, over all pixels that were added.
class Responses {
 public:
  explicit Responses(std::int64_t n) : n_(n), xx_(n, n), yx_(n, n), x_(1, n), y_(1, n) {}

  // (pixels, n) each.
  void add(const std::vector<float>& x, const std::vector<float>& y) {
    const std::int64_t pixels = static_cast<std::int64_t>(x.size()) / n_;
    add_products(x, x, pixels, xx_);
    add_products(y, x, pixels, yx_);
    for (std::int64_t p = 0; p < pixels; ++p)
      for (std::int64_t i = 0; i < n_; ++i) {
        x_(0, i) += x[static_cast<std::size_t>(p * n_ + i)];
        y_(0, i) += y[static_cast<std::size_t>(p * n_ + i)];
      }
    pixels_ += pixels;
  }

  Matrix mean_x() const { return divided(x_); }
  Matrix mean_y() const { return divided(y_); }
  Matrix covariance_xx() const { return covariance(xx_, mean_x()); }
  Matrix covariance_yx() const { return covariance(yx_, mean_y()); }

 private:
  // to += a^T b
  void add_products(const std::vector<float>& a, const std::vector<float>& b, std::int64_t pixels,
                    Matrix& to) const {
    std::vector<float> products(static_cast<std::size_t>(n_ * n_));
    Context host = Context::current();
    gemm::run(host, {.m = n_,
                     .n = n_,
                     .k = pixels,
                     .a = {.data = a.data(), .leading_dimension = n_, .transposed = true},
                     .b = {.data = b.data(), .leading_dimension = n_},
                     .c = {.data = products.data(), .leading_dimension = n_}});
    for (std::size_t i = 0; i < products.size(); ++i) to.values[i] += products[i];
  }
  Matrix divided(Matrix m) const {
    for (double& value : m.values) value /= static_cast<double>(pixels_);
    return m;
  }
  Matrix covariance(const Matrix& products, const Matrix& mean) const {
    Matrix c = divided(products);
    const Matrix x = mean_x();
    for (std::int64_t i = 0; i < n_; ++i)
      for (std::int64_t j = 0; j < n_; ++j) c(i, j) -= mean(0, i) * x(0, j);
    return c;
  }

  std::int64_t n_, pixels_ = 0;
  Matrix xx_, yx_, x_, y_;
};

// The responses of one convolution: of the whole network, and of its filters on what the factors so far pass on.
Responses measure(Context& context, const DistillStart& start, const std::string& conv,
                  const std::string& input, BatchBuilder& batches, Shape picture, ParamStore& params) {
  const NamedTensor &weight = tensor_of(start.whole_weights, conv + ".weight"),
                    &bias = tensor_of(start.whole_weights, conv + ".bias");
  const std::int64_t k = weight.shape.at(0);
  ParamStore filters(ParamStore::Kind::Frozen);
  const Param w = add_param(filters, "weight",
                            {k, weight.shape.at(1), weight.shape.at(2), weight.shape.at(3)}),
              b = add_param(filters, "bias", {1, 1, 1, k});
  filters.allocate();
  std::ranges::copy(weight.values, filters.value(w.index));
  std::ranges::copy(bias.values, filters.value(b.index));
  filters.values_changed();

  Graph graph(context);
  const TensorId photo = graph.add_input("photo", {picture, DType::F32});
  const TensorId wanted = start.whole.build(graph, photo, DType::F32, {conv}, "whole/").at(conv);
  const TensorId passed =
      build_vgg(graph, params, photo, start.factors, DType::F32, {input}, "factors/").at(input);
  const TensorId found =
      graph.add("filters", std::make_unique<Conv2dLayer>(w, b, Conv2dOptions{.pad = {1, 1, 1, 1}}), {passed});
  graph.keep(wanted);
  graph.keep(found);
  Session session(std::move(graph), {});
  Responses responses(k);
  Batch batch;
  for (std::int64_t i = 0; i < kBatches; ++i) {
    batches.build(i, batch);
    write_picture(context, session.tensor(photo), batch.pixels);
    session.forward();
    responses.add(read_tensor(context, session.tensor(found)), read_tensor(context, session.tensor(wanted)));
  }
  return responses;
}

// p (r,K) times filters (K,taps,C): to (r,taps,C).
void combine_filters(const Matrix& p, const NamedTensor& filters, std::span<float> to) {
  const std::int64_t length = static_cast<std::int64_t>(filters.values.size()) / p.columns;
  parallel_for(p.rows, [&](std::int64_t row) {
    std::vector<double> sum(static_cast<std::size_t>(length));
    for (std::int64_t k = 0; k < p.columns; ++k)
      for (std::int64_t i = 0; i < length; ++i)
        sum[static_cast<std::size_t>(i)] +=
            p(row, k) * filters.values[static_cast<std::size_t>(k * length + i)];
    std::ranges::copy(sum, to.begin() + row * length);
  });
}

void split(const DistillStart& start, const std::string& conv, std::int64_t rank, const Responses& responses,
           ParamStore& params) {
  const Matrix xx = responses.covariance_xx(), yx = responses.covariance_yx();
  if (std::ranges::all_of(xx.values, [](double value) { return value == 0; }))
    throw Error("{} of the network to imitate answers the same to all of the first {} batches", conv,
                kBatches);
  const Matrix map = transposed(solve_positive(xx, transposed(yx), kRidge));
  const Matrix u = dominant_space(product(product(map, xx), transposed(map)), rank);
  const Matrix p = product(transposed(u), map);
  combine_filters(p, tensor_of(start.whole_weights, conv + ".weight"),
                  values_of(params, conv + ".reduce.weight"));
  std::ranges::copy(u.values, values_of(params, conv + ".weight").begin());
  // mean of y = U P (mean of x without the filters' bias) + bias
  const NamedTensor& before = tensor_of(start.whole_weights, conv + ".bias");
  Matrix x = transposed(responses.mean_x());
  for (std::int64_t i = 0; i < x.rows; ++i) x(i, 0) -= before.values[static_cast<std::size_t>(i)];
  const Matrix passed = product(u, product(p, x)), y = responses.mean_y();
  const std::span<float> bias = values_of(params, conv + ".bias");
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = static_cast<float>(y.values[i] - passed.values[i]);
}

}  // namespace

void start_from_whole(Context& context, const DistillStart& start, BatchBuilder& batches, Shape picture,
                      ParamStore& params) {
  const auto names = feature_names(Vgg{.depth = start.factors.depth});
  for (const VggConvolution& described : convolutions_for(start.factors, start.layers)) {
    const std::string conv = described.name();
    if (described.rank == 0) {
      for (const char* part : {".weight", ".bias"})
        std::ranges::copy(tensor_of(start.whole_weights, conv + part).values,
                          values_of(params, conv + part).begin());
    } else {
      const auto place = std::ranges::find(names, conv);
      require(place != names.begin(), "{} reads the picture and cannot be split", conv);
      split(start, conv, described.rank,
            measure(context, start, conv, *std::prev(place), batches, picture, params), params);
    }
    params.values_changed();
  }
}

}  // namespace chiaro
