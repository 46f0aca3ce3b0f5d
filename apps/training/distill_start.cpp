#include "apps/training/distill_start.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "engine/linear_algebra.hpp"
#include "engine/session.hpp"
#include "engine/transfer.hpp"
#include "kernels/common/parallel.hpp"
#include "kernels/gram/gram.hpp"
#include "layers/nets/compact_vgg.hpp"

namespace chiaro {

namespace {

constexpr std::int64_t kBatches = 12;
constexpr double kRidge = 1e-4;  // of the mean second moment: a few hundred pixels must do for deep layers

using Moments = std::map<std::string, Matrix>;

// A convolution on the way to the deepest feature.
struct Step {
  std::string conv, relu, output;  // output: what the next convolution reads, the ReLU's or the pool's
};

std::vector<Step> steps_up_to(int depth, const std::vector<std::string>& layers) {
  std::set<std::string> needed;
  for (const auto& layer : layers) needed.insert(vgg_convolution(depth, layer));
  std::vector<Step> steps;
  std::size_t count = 0;  // of the steps that are needed
  for (const auto& name : vgg_feature_names(depth)) {
    if (name.starts_with("conv")) {
      steps.push_back({name, "relu" + name.substr(4), "relu" + name.substr(4)});
      if (needed.count(name)) count = steps.size();
    } else if (name.starts_with("pool")) {
      steps.back().output = name;
    }
  }
  steps.resize(count);
  return steps;
}

// E[f_i f_j] over the pixels of kBatches batches.
Moments measure(Context& context, const DistillStart& start, const std::vector<std::string>& features,
                BatchBuilder& batches, Shape picture, DType dtype) {
  Graph graph(context);
  const TensorId input = graph.add_input("picture", {picture, DType::F32});
  const auto ids = start.wide.build(graph, input, dtype, features, "");
  for (const auto& [name, id] : ids) graph.keep(id);
  Session session(std::move(graph), {});
  Moments moments;
  Batch batch;
  for (std::int64_t b = 0; b < kBatches; ++b) {
    batches.build(b, batch);
    write_picture(context, session.tensor(input), batch.pixels);
    session.forward();
    for (const auto& [name, id] : ids) {
      const TensorView f = session.tensor(id);
      const Shape& s = f.shape;
      const Buffer grams(s.n * s.c * s.c * 4, "Gram matrices", compute_memory(context));
      const Buffer workspace(gram::forward_workspace_bytes(context, s), "Gram workspace",
                             compute_memory(context));
      const auto pixels = static_cast<float>(kBatches * s.n * s.pixels());
      gram::forward(context, f, grams.as<float>(), 1 / pixels, workspace.data());
      const auto values = read_tensor(context, {grams.data(), DType::F32, {1, 1, 1, s.n * s.c * s.c}});
      Matrix& m = moments.try_emplace(name, s.c, s.c).first->second;
      for (std::int64_t i = 0; i < s.n * s.c * s.c; ++i)
        m.values[static_cast<std::size_t>(i % (s.c * s.c))] += values[static_cast<std::size_t>(i)];
    }
  }
  for (const auto& [name, m] : moments)
    if (std::all_of(m.values.begin(), m.values.end(), [](double value) { return value == 0; }))
      throw Error("the feature '{}' of the network to imitate is 0 in all of the first {} batches", name,
                  kBatches);
  return moments;
}

const NamedTensor& tensor_of(const WeightsFile& weights, const std::string& name) {
  const NamedTensor* found = weights.find(name);
  require(found != nullptr, "the network to imitate has no '{}'", name);
  return *found;
}

std::span<float> values_of(ParamStore& params, const std::string& name) {
  const auto* entry = params.find(name);
  require(entry != nullptr, "the narrow network has no '{}'", name);
  return params.values().subspan(static_cast<std::size_t>(entry->offset),
                                 static_cast<std::size_t>(entry->shape.count()));
}

// Filters `chosen` of wide (K,3,3,C), applied to B times the narrow input: to (k,3,3,c), B (C,c).
void compose_filters(const NamedTensor& wide, const std::vector<std::int64_t>& chosen, const Matrix& b,
                     std::span<float> to) {
  const std::int64_t taps = wide.shape.at(1) * wide.shape.at(2), C = wide.shape.at(3);
  require(C == b.rows && std::ssize(to) == std::ssize(chosen) * taps * b.columns,
          "filters of {} channels on {}", C, b.rows);
  parallel_for(std::ssize(chosen) * taps, [&](std::int64_t task) {
    const std::int64_t k = chosen[static_cast<std::size_t>(task / taps)];
    const float* filter = wide.values.data() + (k * taps + task % taps) * C;
    std::vector<double> sum(static_cast<std::size_t>(b.columns));
    for (std::int64_t i = 0; i < C; ++i)
      for (std::int64_t j = 0; j < b.columns; ++j) sum[static_cast<std::size_t>(j)] += filter[i] * b(i, j);
    std::copy(sum.begin(), sum.end(), to.begin() + task * b.columns);
  });
}

Matrix identity(std::int64_t n) {
  Matrix m(n, n);
  for (std::int64_t i = 0; i < n; ++i) m(i, i) = 1;
  return m;
}

}  // namespace

void start_from_wide(Context& context, const DistillStart& start, BatchBuilder& batches, Shape picture,
                     DType dtype, ParamStore& params) {
  const auto steps = steps_up_to(start.wide_config.depth, start.layers);
  std::vector<std::string> features = start.layers;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    features.push_back(steps[i].relu);
    if (i + 1 < steps.size()) features.push_back(steps[i].output);
  }
  const Moments moments = measure(context, start, features, batches, picture, dtype);

  Matrix input = identity(3);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const auto chosen =
        leading_variables(moments.at(step.relu), vgg_channels(start.narrow_config, step.conv));
    compose_filters(tensor_of(start.wide_weights, step.conv + ".weight"), chosen, input,
                    values_of(params, step.conv + ".weight"));
    const NamedTensor& wide_bias = tensor_of(start.wide_weights, step.conv + ".bias");
    const std::span<float> bias = values_of(params, step.conv + ".bias");
    for (std::size_t k = 0; k < bias.size(); ++k)
      bias[k] = wide_bias.values.at(static_cast<std::size_t>(chosen[k]));
    for (const auto& layer : start.layers) {
      if (vgg_convolution(start.wide_config.depth, layer) != step.conv) continue;
      const Matrix adapter = reconstruction(moments.at(layer), chosen, kRidge);
      std::ranges::copy(adapter.values, values_of(params, adapter_name(layer)).begin());
    }
    if (i + 1 < steps.size()) input = reconstruction(moments.at(step.output), chosen, kRidge);
  }
  params.values_changed();
}

}  // namespace chiaro
