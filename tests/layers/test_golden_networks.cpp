// The three networks against PyTorch in float64, on the golden files. What rounding to fp32 does to a result
// is in the files too: PyTorch's own fp32 run differs by fp32_nmse. Sums are taken in another order here, so
// some factor above it is allowed.
#include <doctest/doctest.h>

#include "layers/gram_loss_layers.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "tests/layers/golden_support.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

// The golden results are themselves rounded to fp32, which is 1e-15 of their squared norm.
double allowed(double fp32_nmse) {
  return 10 * fp32_nmse + 1e-13;
}

TransformNet transform_config(const H5Reader& file, const std::string& variant) {
  return {
      .width = file.integer_attribute(variant, "width"),
      .residual_blocks = file.integer_attribute(variant, "residual_blocks"),
      .upsample =
          file.string_attribute(variant, "upsample") == "nearest" ? Upsample::Nearest : Upsample::Transposed,
      .padding = file.string_attribute(variant, "padding") == "reflect" ? Padding::Reflect : Padding::Zero,
      .output =
          file.string_attribute(variant, "output") == "linear" ? OutputRange::Linear : OutputRange::Tanh150};
}

double transform_nmse(const std::string& variant, DType dtype) {
  const H5Reader file = golden("transform_net");
  const auto extents = file.shape(variant + "/output");
  const Shape shape{extents[0], extents[1], extents[2], extents[3]};
  Context context;
  Graph graph(context);
  ParamStore store(ParamStore::Kind::Frozen);
  const TensorId input = graph.add_input("photo", {shape, DType::F32});
  const TensorId output = build_transform_net(graph, store, input, transform_config(file, variant), dtype);
  graph.keep(output);
  REQUIRE(graph.shape(output) == shape);
  allocate_hashed(store, kSeedTransform);
  Session session(std::move(graph), {});
  fill(session.tensor(input), hash_picture("photo", shape.n, shape.h, shape.w));
  session.forward();
  return nmse(file.floats(variant + "/output"), to_floats(session.tensor(output)));
}

std::vector<std::string> golden_features(const H5Reader& file, const std::string& group) {
  auto names = file.groups(group);
  REQUIRE(!names.empty());
  return names;
}

ResnetUpproj resnet_config(const H5Reader& file, const std::string& variant) {
  using Side = ResnetUpproj::Side;
  return {.width = file.integer_attribute(variant, "width"),
          .has_stage5 = file.integer_attribute(variant, "last_stage") == 5,
          .padding = file.string_attribute(variant, "padding") == "nyu" ? Side::Nyu : Side::Make3d};
}

Shape resnet_picture(const H5Reader& file, const std::string& variant) {
  return {file.integer_attribute(variant, "batch"), file.integer_attribute(variant, "height"),
          file.integer_attribute(variant, "width_px"), 3};
}

}  // namespace

TEST_CASE("transform_net: outputs are PyTorch's, all variants") {
  const H5Reader file = golden("transform_net");
  REQUIRE(file.groups().size() == 4);
  for (const std::string& variant : file.groups()) {
    CAPTURE(variant);
    const double error = transform_nmse(variant, DType::F32);
    CHECK(error <= allowed(fp32_nmse(file, variant)));
  }
}

TEST_CASE("transform_net: bf16 outputs are near PyTorch's, all variants") {
  for (const std::string& variant : golden("transform_net").groups()) {
    CAPTURE(variant);
    const double error = transform_nmse(variant, DType::BF16);
    CHECK(error <= 1e-2);  // measured: 4e-3 for the full network, less for the others
  }
}

TEST_CASE("vgg: every feature is PyTorch's") {
  const H5Reader file = golden("vgg");
  Context context;
  for (const int depth : {16, 19}) {
    const std::string group = "vgg" + std::to_string(depth);
    const auto features = golden_features(file, group);
    const FeatureRun run(context, hash_vgg(depth, 64), features, {1, 48, 40, 3});
    for (const std::string& feature : features)
      check_sampled(file, group + "/" + feature, run[feature],
                    allowed(fp32_nmse(file, group + "/" + feature)));
  }
}

TEST_CASE("vgg: asking for the values before a ReLU changes nothing after it") {
  Context context;
  const std::vector<std::string> after{"relu1_2", "relu3_4", "pool3"};
  const std::vector<std::string> both{"conv1_2", "relu1_2", "conv3_4", "relu3_4", "pool3"};
  const Shape picture{1, 24, 16, 3};
  const FeatureRun fused(context, hash_vgg(19, 8), after, picture),
      apart(context, hash_vgg(19, 8), both, picture);
  for (const std::string& feature : after) CHECK(to_floats(fused[feature]) == to_floats(apart[feature]));
  auto before = to_floats(apart["conv3_4"]);
  CHECK(*std::min_element(before.begin(), before.end()) < 0);
  for (float& v : before) v = std::max(v, 0.f);
  CHECK(before == to_floats(apart["relu3_4"]));
}

TEST_CASE("gram: matrices of VGG-19 features are PyTorch's") {
  const H5Reader file = golden("vgg");
  Context context;
  const auto features = golden_features(file, "gram/vgg19");
  const FeatureRun run(context, hash_vgg(19, 64), features, {1, 48, 40, 3});
  for (const std::string& feature : features) {
    const Buffer gram = gram_matrix(context, run[feature]);
    const std::int64_t c = run[feature].shape.c;
    const std::string group = "gram/vgg19/" + feature;
    // Squares double the error of the features.
    const double features_fp32 = fp32_nmse(file, "vgg19/" + feature);
    check_sampled(file, group, {gram.data(), DType::F32, {1, c, c, 1}},
                  allowed(std::max(fp32_nmse(file, group), features_fp32)));
    if (feature == "relu1_1") {
      const std::span<const float> values(gram.as<float>(), static_cast<std::size_t>(c * c));
      CHECK(nmse(file.floats(group + "/values"), values) <= 1e-13);
    }
  }
}

TEST_CASE("resnet_upproj: every feature is PyTorch's, all variants") {
  const H5Reader file = golden("resnet_upproj");
  REQUIRE(file.groups().size() == 3);
  Context context;
  for (const std::string& variant : file.groups()) {
    const ResnetUpproj config = resnet_config(file, variant);
    const auto features = golden_features(file, variant);
    auto names = feature_names(config);
    CHECK(features.size() == names.size());
    const FeatureRun run(context, hash_resnet_upproj(config), features, resnet_picture(file, variant));
    for (const std::string& feature : features)
      check_sampled(file, variant + "/" + feature, run[feature],
                    allowed(fp32_nmse(file, variant + "/" + feature)));
  }
}

TEST_CASE("resnet_upproj: the wrong side of the padding is another network") {
  const H5Reader file = golden("resnet_upproj");
  ResnetUpproj config = resnet_config(file, "nyu_res4");
  config.padding = ResnetUpproj::Side::Make3d;
  Context context;
  const FeatureRun run(context, hash_resnet_upproj(config), {"up_2x"}, resnet_picture(file, "nyu_res4"));
  const auto values = to_floats(run["up_2x"]);
  std::vector<float> samples;
  for (const auto i : file.integers("nyu_res4/up_2x/indices"))
    samples.push_back(values[static_cast<std::size_t>(i)]);
  CHECK(nmse(file.floats("nyu_res4/up_2x/samples"), samples) > 1e-2);
}
