// A VGG whose convolutions are in two factors of low rank.
#include <doctest/doctest.h>

#include "engine/session.hpp"
#include "engine/transfer.hpp"
#include "layers/networks/loss_network.hpp"
#include "tests/layers/golden_support.hpp"
#include "tests/support/compare.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

constexpr Shape kPicture{2, 24, 20, 3};

// VGG-19 of width 4 up to conv2_2, conv1_2 and conv2_1 in factors, and the same with the factors multiplied out.
struct FactoredPair {
  WeightsFile factors{
      .kind = "vgg19",
      .architecture = R"({"depth":19,"width":4,"last_conv":"conv2_2","ranks":{"conv1_2":3,"conv2_1":2}})",
      .preprocess = to_json({.mean = {120, 110, 100}})};
  WeightsFile whole = factors;

  FactoredPair() {
    whole.architecture = R"({"depth":19,"width":4,"last_conv":"conv2_2"})";
    add_whole("conv1_1", 4, 3);
    add_split("conv1_2", 4, 4, 3);
    add_split("conv2_1", 8, 4, 2);
    add_whole("conv2_2", 8, 8);
  }

 private:
  static NamedTensor tensor(const std::string& name, const std::vector<std::int64_t>& shape) {
    return {name, shape, hash_tensor(name, shape, kSeedVgg)};
  }
  void add_whole(const std::string& name, std::int64_t k, std::int64_t c) {
    for (WeightsFile* file : {&factors, &whole}) {
      file->parameters.push_back(tensor(name + ".weight", {k, 3, 3, c}));
      file->parameters.push_back(tensor(name + ".bias", {k}));
    }
  }
  void add_split(const std::string& name, std::int64_t k, std::int64_t c, std::int64_t rank) {
    const NamedTensor reduce = tensor(name + ".reduce.weight", {rank, 3, 3, c}),
                      expand = tensor(name + ".weight", {k, 1, 1, rank}), bias = tensor(name + ".bias", {k});
    factors.parameters.insert(factors.parameters.end(), {reduce, expand, bias});
    NamedTensor product{
        name + ".weight", {k, 3, 3, c}, std::vector<float>(static_cast<std::size_t>(k * 9 * c))};
    for (std::int64_t i = 0; i < k; ++i)
      for (std::int64_t j = 0; j < 9 * c; ++j) {
        double sum = 0;
        for (std::int64_t r = 0; r < rank; ++r)
          sum += double(expand.values[i * rank + r]) * double(reduce.values[r * 9 * c + j]);
        product.values[i * 9 * c + j] = static_cast<float>(sum);
      }
    whole.parameters.insert(whole.parameters.end(), {product, bias});
  }
};

std::map<std::string, std::vector<float>> features_of(const WeightsFile& file,
                                                      const std::vector<std::string>& names) {
  Context context(2);
  const auto network = LossNetwork::load(file, "vgg.h5", names);
  Graph graph(context);
  const TensorId picture = graph.add_input("picture", {kPicture, DType::F32});
  const auto ids = network->build(graph, picture, DType::F32, names, "");
  for (const auto& [name, id] : ids) graph.keep(id);
  Session session(std::move(graph), {});
  write_tensor(context, session.tensor(picture), hash_picture("picture", kPicture.n, kPicture.h, kPicture.w));
  session.forward();
  std::map<std::string, std::vector<float>> features;
  for (const auto& [name, id] : ids) features[name] = read_tensor(context, session.tensor(id));
  return features;
}

}  // namespace

TEST_CASE("VGG in factors: its features are those of the product of the factors") {
  const FactoredPair pair;
  const std::vector<std::string> names{"relu1_1", "conv1_2", "relu1_2", "pool1", "relu2_1", "relu2_2"};
  const auto factors = features_of(pair.factors, names), whole = features_of(pair.whole, names);
  for (const auto& name : names) {
    CAPTURE(name);
    CHECK(nmse(whole.at(name), factors.at(name)) <= 1e-11);
  }
}

TEST_CASE("VGG in factors: files are checked") {
  const auto refusal = [](const std::string& architecture) {
    FactoredPair pair;
    pair.factors.architecture = architecture;
    return error_of([&] { LossNetwork::load(pair.factors, "vgg.h5", {"relu2_1"}); });
  };
  CHECK(refusal(FactoredPair().factors.architecture).empty());
  CHECK(
      contains(refusal(R"({"width":4,"ranks":{"conv1_2":3}})"), "vgg.h5: tensor 'conv2_1.weight' has shape"));
  CHECK(contains(refusal(R"({"width":4,"ranks":{"conv1_2":2,"conv2_1":2}})"),
                 "vgg.h5: tensor 'conv1_2.reduce.weight' has shape (3,3,3,4), expected (2,3,3,4)"));
  CHECK(contains(refusal(R"({"width":4,"ranks":{"relu1_2":3}})"),
                 "VGG-19: a rank of 'relu1_2', which is no convolution of it"));
  CHECK(contains(refusal(R"({"width":4,"ranks":{"conv1_2":0}})"),
                 "'conv1_2' is 0, expected an integer between 1 and 4096"));
  CHECK(contains(refusal(R"({"width":4,"ranks":[3]})"), "'ranks' is [3], expected an object"));
  CHECK(contains(refusal(R"({"width":2,"heads":["relu1_1"]})"),
                 "a narrow network that imitates a VGG, which older versions"));
}

TEST_CASE("VGG: the convolutions that features need") {
  const Vgg network{.depth = 19, .width = 16};
  CHECK(convolutions_for(network, {"relu1_2"}).back().out_channels == 16);
  CHECK(convolutions_for(network, {"pool2"}).back().out_channels == 32);
  CHECK(convolutions_for(network, {"relu1_1", "conv5_4"}).back().out_channels == 128);
  CHECK(convolutions_for(network, {"pool3"}).back().name() == "conv3_4");
  CHECK(convolutions_for({.depth = 16}, {"pool3"}).back().name() == "conv3_3");
  CHECK(convolutions_for(network, {"relu4_2"}).back().name() == "conv4_2");
  CHECK(error_of([] { convolutions_for({.depth = 16}, {"relu3_4"}); }) ==
        "VGG-16 has no layer 'relu3_4'; did you mean 'relu3_1'?");
}
