// Pools that apply the mask of the ReLU before them: gradients keep their bits, and only where the pool alone
// reads the ReLU's output is the mask left to it.
#include <doctest/doctest.h>

#include "layers/loss_layers.hpp"
#include "tests/layers/golden_support.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

constexpr Shape kPicture{2, 18, 20, 3};

// Losses between features of a picture and nothing (a target of zeros), each with a term of its own.
struct FeatureLosses {
  std::unique_ptr<LossNetwork> network;
  std::unique_ptr<Session> session;
  TensorId picture;
  std::vector<TensorId> targets;

  FeatureLosses(Context& context, const WeightsFile& weights, const std::vector<std::string>& features,
                const std::vector<std::string>& with_loss, DType dtype)
      : network(LossNetwork::load(weights, "network", features)) {
    Graph graph(context);
    picture = graph.add_input("picture", {kPicture, DType::F32}, true);
    graph.keep_gradient(picture);
    const auto found = network->build(graph, picture, dtype, features, "");
    for (const std::string& name : with_loss)
      targets.push_back(graph.add_input("target " + name, {graph.shape(found.at(name)), dtype}));
    for (std::size_t i = 0; i < with_loss.size(); ++i)
      graph.add_loss(with_loss[i], "loss " + with_loss[i],
                     std::make_unique<FeatureLossLayer>(LossOptions{.weight = 1000}),
                     {found.at(with_loss[i]), targets[i]});
    session = std::make_unique<Session>(std::move(graph), SessionOptions{.backward = true});
  }

  // A whole step: memory is shared, so backward leaves nothing for a second one.
  std::vector<float> gradient(const std::string& only_term = "") const {
    fill(session->tensor(picture), hash_picture("picture", kPicture.n, kPicture.h, kPicture.w));
    for (const TensorId id : targets)
      std::memset(session->tensor(id).data, 0, static_cast<std::size_t>(session->tensor(id).bytes()));
    session->forward();
    session->backward(only_term);
    return to_floats(session->gradient(picture));
  }
  // Convolutions that mask their gradient themselves read their output in backward.
  int masks() const {
    int count = 0;
    for (const auto& node : session->graph().nodes())
      count += node.layer->type() == std::string("conv2d") && node.spec.backward_reads_output;
    return count;
  }
};

struct NetworkCase {
  WeightsFile weights;
  std::vector<std::string> before_pools, deep;
  int masks;  // with the features before the pools, too
};

std::vector<NetworkCase> network_cases() {
  return {{hash_vgg(19, 8), {"relu1_2", "relu2_2"}, {"relu3_1"}, 5},
          {hash_resnet_upproj({.width = 8}), {"conv1"}, {"res2a"}, 4}};
}

}  // namespace

TEST_CASE("masked pools: the gradient has the bits that it has with masks of their own") {
  Context context;
  for (const NetworkCase& k : network_cases())
    for (const DType dtype : {DType::F32, DType::BF16}) {
      auto all = k.before_pools;
      all.insert(all.end(), k.deep.begin(), k.deep.end());
      const FeatureLosses fused(context, k.weights, k.deep, k.deep, dtype);
      const FeatureLosses apart(context, k.weights, all, k.deep, dtype);
      CHECK(apart.masks() == k.masks);
      CHECK(fused.masks() == k.masks - std::ssize(k.before_pools));
      const auto gradient = fused.gradient();
      CHECK(norm(gradient) > 0);
      CHECK(gradient == apart.gradient());
    }
}

TEST_CASE("masked pools: losses on features before the pools add their own gradient") {
  Context context;
  for (const NetworkCase& k : network_cases()) {
    auto all = k.before_pools;
    all.insert(all.end(), k.deep.begin(), k.deep.end());
    const FeatureLosses losses(context, k.weights, all, all, DType::F32);
    const auto gradient = losses.gradient();
    std::vector<float> sum(gradient.size());
    for (const std::string& term : all) {
      const auto part = losses.gradient(term);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += part[i];
      CHECK(norm(part) > 0);
    }
    CHECK(nmse(sum, gradient) < 1e-12);
    CHECK(losses.gradient(k.deep[0]) ==
          FeatureLosses(context, k.weights, k.deep, k.deep, DType::F32).gradient());
  }
}
