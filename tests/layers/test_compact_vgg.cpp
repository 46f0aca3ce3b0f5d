// A narrow VGG with heads in place of the wide one that it imitates: the losses have the same values.
#include <doctest/doctest.h>

#include <random>

#include "layers/conv2d_layer.hpp"
#include "layers/nets/compact_vgg.hpp"
#include "layers/style_objective.hpp"
#include "tests/layers/golden_support.hpp"
#include "tests/support/error_of.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

Matrix random_matrix(std::int64_t rows, std::int64_t columns, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  Matrix m(rows, columns);
  for (double& value : m.values) value = normal(generator);
  return m;
}

// Rows of f, each multiplied by m.
Matrix apply(const Matrix& f, const Matrix& m) {
  Matrix y(f.rows, m.rows);
  for (std::int64_t p = 0; p < f.rows; ++p)
    for (std::int64_t i = 0; i < m.rows; ++i)
      for (std::int64_t j = 0; j < m.columns; ++j) y(p, i) += m(i, j) * f(p, j);
  return y;
}

double mean_square(const Matrix& a, const Matrix& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    sum += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
  return sum / static_cast<double>(a.values.size());
}

// As the style loss normalises it.
Matrix gram_of(const Matrix& f) {
  Matrix g(f.columns, f.columns);
  for (std::int64_t i = 0; i < f.columns; ++i)
    for (std::int64_t j = 0; j < f.columns; ++j)
      for (std::int64_t p = 0; p < f.rows; ++p)
        g(i, j) += f(p, i) * f(p, j) / static_cast<double>(f.rows * f.columns);
  return g;
}

const std::vector<std::string> kHeads{"relu1_1", "conv2_1", "relu3_1", "pool3"};
constexpr std::int64_t kWidth = 2, kImitated = 6;

VggConfig narrow_config() {
  return {.depth = 19, .width = kWidth, .preprocess = {.mean = {120, 110, 100}}, .heads = kHeads};
}

// A narrow network as it is in training, with adapters to a network three times as wide.
struct Narrow {
  ParamStore params{ParamStore::Kind::Frozen};

  std::map<std::string, TensorId> build(Graph& graph, TensorId picture, const std::string& prefix) {
    VggConfig headless = narrow_config();
    headless.heads.clear();
    auto features = build_vgg(graph, params, picture, headless, DType::F32, kHeads, prefix);
    for (auto& [name, id] : features) {
      const std::int64_t c = graph.shape(id).c;
      const Param adapter = add_param(params, adapter_name(name), {c * kImitated / kWidth, 1, 1, c});
      id = graph.add(prefix + "adapter/" + name,
                     std::make_unique<Conv2dLayer>(adapter, Param{}, Conv2dOptions{}), {id});
    }
    return features;
  }

  Narrow() {
    Context context(1);
    Graph graph(context);
    build(graph, graph.add_input("picture", {{1, 32, 32, 3}, DType::F32}), "");
    allocate_hashed(params, kSeedVgg);
  }
};

WeightsFile narrow_file() {
  return compact_vgg_file(Narrow().params, narrow_config(), kImitated, "{}");
}

constexpr Shape kPicture{1, 32, 40, 3};

// Features A f of a picture.
std::map<std::string, Matrix> adapted_features(const std::string& picture) {
  Context context(1);
  Narrow network;
  Graph graph(context);
  const TensorId input = graph.add_input("picture", {kPicture, DType::F32});
  const auto ids = network.build(graph, input, "");
  for (const auto& [name, id] : ids) graph.keep(id);
  Session session(std::move(graph), {});
  fill(session.tensor(input), hash_picture(picture, 1, kPicture.h, kPicture.w));
  session.forward();
  std::map<std::string, Matrix> features;
  for (const auto& [name, id] : ids) {
    const Shape s = session.graph().shape(id);
    Matrix& f = features.try_emplace(name, s.pixels(), s.c).first->second;
    std::ranges::copy(to_floats(session.tensor(id)), f.values.begin());
  }
  return features;
}

// The losses of the network with heads between the pictures "generated" and "target", each layer a term.
std::map<std::string, double> losses_with_heads(StyleLossLayer::Reduction reduction) {
  Context context(1);
  const auto network = LossNetwork::load(narrow_file(), "narrow.h5", kHeads);
  const auto target_pixels = hash_picture("target", 1, kPicture.h, kPicture.w);
  std::map<std::string, double> losses;
  for (const auto& layer : kHeads) {
    StyleObjective objective{.style = {network.get(), {layer}, {}, 1},
                             .content = {network.get(), {layer}, {}, 1},
                             .reduction = reduction};
    objective.style_targets =
        style_targets(context, objective.style, {target_pixels.data(), DType::F32, kPicture}, DType::F32);
    Graph graph(context);
    const TensorId photo = graph.add_input("photo", {kPicture, DType::F32});
    const TensorId generated = graph.add_input("generated", {kPicture, DType::F32});
    const auto features = add_photo_features(graph, objective, photo, DType::F32);
    add_objective(graph, objective, generated, features, DType::F32);
    Session session(std::move(graph), {});
    fill(session.tensor(photo), target_pixels);
    fill(session.tensor(generated), hash_picture("generated", 1, kPicture.h, kPicture.w));
    session.forward();
    losses["style " + layer] = session.loss("style");
    losses["content " + layer] = session.loss("content");
  }
  return losses;
}

}  // namespace

TEST_CASE("compact_head: distances of heads are those of adapted features") {
  const std::int64_t wide = 24, narrow = 6, pixels = 50;
  const Matrix a = random_matrix(wide, narrow, 1);
  const Matrix f = random_matrix(pixels, narrow, 2), g = random_matrix(pixels, narrow, 3);
  const Matrix head = compact_head(a);
  CHECK(head.rows == narrow);
  CHECK(head.columns == narrow);
  CHECK(mean_square(apply(f, head), apply(g, head)) ==
        doctest::Approx(mean_square(apply(f, a), apply(g, a))).epsilon(1e-12));
  CHECK(compact_gram_loss_scale(narrow, wide) == doctest::Approx(1.0 / 16));
  CHECK(compact_gram_loss_scale(narrow, wide) *
            mean_square(gram_of(apply(f, head)), gram_of(apply(g, head))) ==
        doctest::Approx(mean_square(gram_of(apply(f, a)), gram_of(apply(g, a)))).epsilon(1e-12));
}

TEST_CASE("compact VGG: style and content losses have the values of the adapted features") {
  const auto f = adapted_features("generated"), g = adapted_features("target");
  const auto mean = losses_with_heads(StyleLossLayer::Reduction::Mean);
  const auto sum = losses_with_heads(StyleLossLayer::Reduction::Sum);
  for (const auto& layer : kHeads) {
    CAPTURE(layer);
    const double style = mean_square(gram_of(f.at(layer)), gram_of(g.at(layer)));
    const auto entries = static_cast<double>(f.at(layer).columns * f.at(layer).columns);
    CHECK(style > 0);
    CHECK(mean.at("style " + layer) == doctest::Approx(style).epsilon(1e-5));
    CHECK(sum.at("style " + layer) == doctest::Approx(style * entries).epsilon(1e-5));
    CHECK(mean.at("content " + layer) ==
          doctest::Approx(mean_square(f.at(layer), g.at(layer))).epsilon(1e-5));
  }
}

TEST_CASE("compact VGG: the file says what it is and holds no adapters") {
  const WeightsFile file = narrow_file();
  CHECK(file.kind == "vgg19");
  CHECK(file.architecture ==
        R"({"depth":19,"width":2,"imitates_width":6,"heads":["relu1_1","conv2_1","relu3_1","pool3"]})");
  CHECK(parse_preprocess(file.preprocess, "").mean[1] == 110);
  CHECK(file.find("conv3_4.weight") != nullptr);
  CHECK(file.find("conv4_1.weight") == nullptr);
  CHECK(file.find(adapter_name("relu1_1")) == nullptr);
  REQUIRE(file.find("head_pool3.weight") != nullptr);
  CHECK(file.find("head_pool3.weight")->shape == std::vector<std::int64_t>{8, 1, 1, 8});
  ParamStore empty(ParamStore::Kind::Frozen);
  empty.allocate();
  CHECK(error_of([&] { compact_vgg_file(empty, narrow_config(), 6, "{}"); }) ==
        "no adapter for the feature 'relu1_1'");
}

TEST_CASE("compact VGG: it offers the features with a head, and no other") {
  WeightsFile file = narrow_file();
  CHECK(LossNetwork::feature_names(file, "narrow.h5") == kHeads);
  CHECK(LossNetwork::load(file, "narrow.h5", {"pool3"})->gram_loss_scale() == doctest::Approx(1.0 / 9));
  CHECK(LossNetwork::load(hash_vgg(19, 4), "vgg.h5", {"pool3"})->gram_loss_scale() == 1);
  const auto refusal = [&](const std::string& feature) {
    return error_of([&] { LossNetwork::load(file, "narrow.h5", {feature}); });
  };
  CHECK(refusal("relu2_1") ==
        "this network imitates VGG-19 at relu1_1, conv2_1, relu3_1, pool3 only, not at 'relu2_1'");
  CHECK(refusal("relu2_9") == "VGG-19 has no layer 'relu2_9'; did you mean 'relu2_1'?");
  // Only what a feature needs is loaded.
  const auto part = LossNetwork::load(file, "narrow.h5", {"relu1_1"});
  CHECK(part->params().find("head_relu1_1.weight")->shape == Shape{2, 1, 1, 2});
  CHECK(part->params().find("head_pool3.weight") == nullptr);

  std::erase_if(file.parameters, [](const NamedTensor& t) { return t.name == "head_pool3.weight"; });
  CHECK(contains(refusal("pool3"), "head_pool3.weight"));
  file = narrow_file();
  for (const char* heads : {R"(["relu9_9"])", R"(["relu1_1","relu1_1"])"}) {
    file.architecture = fmt::format(R"({{"width":2,"heads":{}}})", heads);
    CHECK(contains(refusal("relu1_1"), "narrow.h5: heads ["));
  }
  file.architecture = R"({"width":2,"heads":7})";
  CHECK(contains(refusal("relu1_1"), "narrow.h5: the architecture of the vgg19 network is not usable: "));
  file.architecture = R"({"width":2,"imitates_width":0,"heads":["relu1_1"]})";
  CHECK(refusal("relu1_1") == "narrow.h5: imitates_width 0 is not an integer between 1 and 1024");
}

TEST_CASE("vgg_channels, vgg_convolution: of every kind of feature") {
  const VggConfig config{.depth = 19, .width = 16};
  CHECK(vgg_channels(config, "relu1_2") == 16);
  CHECK(vgg_channels(config, "pool2") == 32);
  CHECK(vgg_channels(config, "conv5_4") == 128);
  CHECK(vgg_convolution(19, "pool3") == "conv3_4");
  CHECK(vgg_convolution(16, "pool3") == "conv3_3");
  CHECK(vgg_convolution(19, "relu4_2") == "conv4_2");
  CHECK(error_of([] { vgg_convolution(16, "relu3_4"); }) ==
        "VGG-16 has no layer 'relu3_4'; did you mean 'relu3_1'?");
}
