// The loss networks as descriptions: names, parameters, shapes of features, messages. Their values are
// compared with PyTorch's in test_golden_networks.cpp.
#include <doctest/doctest.h>

#include <set>

#include "layers/networks/networks.hpp"
#include "layers/networks/vgg/vgg.hpp"
#include "tests/layers/golden_support.hpp"
#include "tests/support/compare.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

// Shapes of all features of the full depth network, without weights.
std::map<std::string, Shape> resnet_shapes(std::int64_t height, std::int64_t width) {
  Context context;
  Graph graph(context);
  ParamStore store(ParamStore::Kind::Frozen);
  const TensorId input = graph.add_input("picture", {{1, height, width, 3}, DType::F32});
  const ResnetUpproj config;
  std::map<std::string, Shape> shapes;
  for (const auto& [name, id] :
       build_resnet_upproj(graph, store, input, config, DType::F32, feature_names(config), ""))
    shapes[name] = graph.shape(id);
  return shapes;
}

void remove(WeightsFile& weights, const std::string& name) {
  std::erase_if(weights.parameters, [&](const NamedTensor& tensor) { return tensor.name == name; });
}

}  // namespace

TEST_CASE("resnet_upproj: as many parameters as Laina et al.'s network") {
  std::int64_t learned = 0, encoder = 0;
  std::set<std::string> names;
  for (const auto& [name, shape] : parameters(ResnetUpproj{})) {
    CHECK(names.insert(name).second);
    std::int64_t count = 1;
    for (const auto extent : shape) count *= extent;
    if (name.ends_with(".mean") || name.ends_with(".variance")) continue;  // statistics
    learned += count;
    if (name.starts_with("conv1.") || name.starts_with("res") || name.starts_with("bn")) encoder += count;
  }
  CHECK((learned + 500) / 1000 == 63'573);
  CHECK((encoder + 5'000) / 10'000 == 2'351);
}

TEST_CASE("resnet_upproj: feature shapes at the size of NYU Depth and at a training size") {
  const auto nyu = resnet_shapes(228, 304), square = resnet_shapes(256, 256);
  const struct {
    const char* feature;
    std::int64_t channels, nyu_height, nyu_width, square;
  } expected[] = {{"conv1", 64, 114, 152, 128},    {"pool1", 64, 57, 76, 64},  {"res2a", 256, 57, 76, 64},
                  {"res2c", 256, 57, 76, 64},      {"res3d", 512, 29, 38, 32}, {"res4f", 1024, 15, 19, 16},
                  {"res5c", 2048, 8, 10, 8},       {"layer1", 1024, 8, 10, 8}, {"up_2x", 512, 16, 20, 16},
                  {"up_4x", 256, 32, 40, 32},      {"up_8x", 128, 64, 80, 64}, {"up_16x", 64, 128, 160, 128},
                  {"prediction", 1, 128, 160, 128}};
  CHECK(nyu.size() == 24);  // conv1, pool1, 16 blocks, layer1, 4 up-projections, prediction
  for (const auto& e : expected) {
    CAPTURE(std::string(e.feature));
    CHECK(nyu.at(e.feature) == Shape{1, e.nyu_height, e.nyu_width, e.channels});
    CHECK(square.at(e.feature) == Shape{1, e.square, e.square, e.channels});
  }
}

TEST_CASE("resnet_upproj: without stage 5 its features are gone and layer1 reads res4f") {
  ResnetUpproj config{.width = 8, .has_stage5 = false};
  for (const auto& name : feature_names(config)) CHECK(!name.starts_with("res5"));
  for (const auto& [name, shape] : parameters(config)) {
    CHECK(!contains(name, "res5"));
    if (name == "layer1.weight") CHECK(shape == std::vector<std::int64_t>{128, 1, 1, 128});
  }
  const WeightsFile weights = hash_resnet_upproj(config);
  CHECK(error_of([&] { LossNetwork::load(weights, "depth.h5", {"res5c"}); }) ==
        "ResNet-UpProj has no layer 'res5c'; did you mean 'res2c'?");
}

TEST_CASE("resnet_upproj: a decoder of its own width, with fewer up-projections") {
  const ResnetUpproj config{.width = 8, .has_stage5 = false, .decoder_width = 40, .up_projections = 3};
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const auto& [name, shape] : parameters(config)) shapes[name] = shape;
  CHECK(shapes.at("layer1.weight") == std::vector<std::int64_t>{40, 1, 1, 128});
  CHECK(shapes.at("layer2x_br1_ConvA.weight") == std::vector<std::int64_t>{20, 3, 3, 40});
  CHECK(shapes.at("layer8x_Conv.weight") == std::vector<std::int64_t>{5, 3, 3, 5});
  CHECK(shapes.at("ConvPred.weight") == std::vector<std::int64_t>{1, 3, 3, 5});
  CHECK(shapes.count("layer16x_Conv.weight") == 0);

  WeightsFile file = hash_resnet_upproj(config);
  file.architecture = R"({"width":8,"encoder":"resnet50-c4","decoder_width":40,"up_projections":3})";
  CHECK(feature_names(describe(file, "d.h5")).back() == "prediction");
  Context context(1);
  const FeatureRun run(context, file, {"up_8x", "prediction"}, {1, 64, 96, 3});
  CHECK(run.session->graph().shape(run.ids.at("up_8x")) == Shape{1, 32, 48, 5});
  CHECK(run.session->graph().shape(run.ids.at("prediction")) == Shape{1, 32, 48, 1});
  CHECK(error_of([&] { LossNetwork::load(file, "d.h5", {"up_16x"}); }) ==
        "ResNet-UpProj has no layer 'up_16x'; did you mean 'up_2x'?");

  const auto refusal = [&](const std::string& decoder) {
    file.architecture = R"({"width":8,"encoder":"resnet50-c4",)" + decoder + "}";
    return error_of([&] { LossNetwork::load(file, "d.h5", {"prediction"}); });
  };
  CHECK(
      refusal(R"("decoder_width":40,"up_projections":5)") ==
      "d.h5: the architecture of the depth network is not usable: 'up_projections' is 5, expected an integer between 1 and 4");
  CHECK(contains(refusal(R"("decoder_width":-1)"),
                 "'decoder_width' is -1, expected an integer between 0 and 4096"));
  CHECK(refusal(R"("decoder_width":12,"up_projections":3)") ==
        "ResNet-UpProj: a decoder of 12 channels cannot be halved 3 times");
}

TEST_CASE("vgg: feature names in network order") {
  const auto vgg16 = feature_names(Vgg{.depth = 16}), vgg19 = feature_names(Vgg{.depth = 19});
  CHECK(vgg16.size() == 2 * 13 + 5);
  CHECK(vgg19.size() == 2 * 16 + 5);
  CHECK(std::vector(vgg19.begin(), vgg19.begin() + 6) ==
        std::vector<std::string>{"conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1", "conv2_1"});
  CHECK(vgg19.back() == "pool5");
  CHECK(std::count(vgg16.begin(), vgg16.end(), "relu3_4") == 0);
  CHECK(std::count(vgg19.begin(), vgg19.end(), "relu3_4") == 1);
  CHECK(error_of([] { feature_names(Vgg{.depth = 11}); }) == "VGG: depth 11, expected 16 or 19");
}

TEST_CASE("vgg: only the layers that are needed are loaded") {
  WeightsFile weights = hash_vgg(19, 8);
  for (const char* name : {"conv3_2.weight", "conv3_2.bias", "conv5_4.weight"}) remove(weights, name);
  const auto network = LossNetwork::load(weights, "vgg.h5", {"relu1_2", "relu3_1"});
  CHECK(network->params().find("conv3_1.weight")->shape == Shape{32, 3, 3, 16});
  CHECK(network->params().find("conv3_2.weight") == nullptr);
  CHECK(!network->params().trainable());
}

TEST_CASE("networks: weights are in memory once for two uses in a graph") {
  const auto network = LossNetwork::load(hash_vgg(16, 8), "vgg.h5", {"relu2_2"});
  const auto count = network->params().parameter_count();
  Context context;
  Graph graph(context);
  const TensorId input = graph.add_input("picture", {{1, 16, 16, 3}, DType::F32});
  network->build(graph, input, DType::F32, {"relu2_2"}, "a/");
  network->build(graph, input, DType::F32, {"relu1_1"}, "b/");
  CHECK(network->params().parameter_count() == count);
}

TEST_CASE("networks: unknown layers are named, with the nearest one or all") {
  const WeightsFile vgg = hash_vgg(19, 8), depth = hash_resnet_upproj({.width = 8});
  const auto load = [](const WeightsFile& weights, const std::string& feature) {
    return error_of([&] { LossNetwork::load(weights, "w.h5", {feature}); });
  };
  CHECK(load(vgg, "relu4_5") == "VGG-19 has no layer 'relu4_5'; did you mean 'relu4_1'?");
  CHECK(load(vgg, "rleu4_2") == "VGG-19 has no layer 'rleu4_2'; did you mean 'relu4_2'?");
  CHECK(contains(load(vgg, "block4_conv2_preactivation"),
                 "VGG-19 has no layer 'block4_conv2_preactivation'; it has conv1_1, relu1_1, "));
  CHECK(load(depth, "up_9x") == "ResNet-UpProj has no layer 'up_9x'; did you mean 'up_2x'?");
  CHECK(error_of([&] { LossNetwork::load(vgg, "w.h5", {}); }) == "VGG-19: no feature layer was asked for");
}

TEST_CASE("networks: unusable weights files are refused with their reason") {
  const WeightsFile vgg = hash_vgg(19, 8), depth = hash_resnet_upproj({.width = 8});
  const auto load = [](const WeightsFile& weights, const std::string& feature) {
    return error_of([&] { LossNetwork::load(weights, "w.h5", {feature}); });
  };
  WeightsFile file = vgg;
  file.kind = "transform_net";
  CHECK(load(file, "relu1_1") ==
        "w.h5: holds a transform_net, expected a loss network (vgg19, vgg16, resnet_upproj)");
  for (const char* width : {"0", "4096", "8.5", "\"8\"", "null"}) {
    file = vgg;
    file.architecture = fmt::format(R"({{"width":{}}})", width);
    CHECK(
        load(file, "relu1_1") ==
        fmt::format(
            "w.h5: the architecture of the vgg19 network is not usable: 'width' is {}, expected an integer between 1 and 1024",
            width));
    file = depth;
    file.architecture = fmt::format(R"({{"width":{}}})", width);
    CHECK(
        load(file, "conv1") ==
        fmt::format(
            "w.h5: the architecture of the depth network is not usable: 'width' is {}, expected an integer between 1 and 1024",
            width));
  }
  file = vgg;
  file.architecture = "[]";
  CHECK(contains(load(file, "relu1_1"), "w.h5: the architecture of the vgg19 network is not usable: "));
  file = vgg;
  remove(file, "conv1_2.bias");
  CHECK(load(file, "relu1_1") == "");
  CHECK(load(file, "relu1_2") == "w.h5: tensor 'conv1_2.bias' is missing");
  file = vgg;
  file.architecture = R"({"width":16})";
  CHECK(load(file, "relu1_1") == "w.h5: tensor 'conv1_1.weight' has shape (8,3,3,3), expected (16,3,3,3)");

  file = depth;
  file.architecture = R"({"width":8,"encoder":"resnet18"})";
  CHECK(contains(load(file, "conv1"), R"('encoder' is "resnet18", expected "resnet50-c4" or "resnet50")"));
  file.architecture = R"({"width":8,"padding":"kitti"})";
  CHECK(contains(load(file, "conv1"), R"('padding' is "kitti", expected "nyu" or "make3d")"));
  file = depth;
  remove(file, "layer8x_br2_BN.variance");
  CHECK(load(file, "up_4x") == "");
  CHECK(load(file, "up_8x") == "w.h5: tensor 'layer8x_br2_BN.variance' of ResNet-UpProj is missing");
}

TEST_CASE("networks: a picture that is too small for a layer is refused") {
  const auto network = LossNetwork::load(hash_vgg(19, 8), "vgg.h5", {"pool5"});
  Context context;
  Graph graph(context);
  const TensorId input = graph.add_input("picture", {{1, 16, 31, 3}, DType::F32});
  CHECK(error_of([&] { network->build(graph, input, DType::F32, {"pool5"}, ""); }) ==
        "VGG-19: the picture is too small for layer pool5");
}
