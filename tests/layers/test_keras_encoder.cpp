// Keras' ResNet-50 as the encoder of a depth network, with the real weights: needs CHIARO_DATA.
#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "engine/image/image.hpp"
#include "layers/networks/resnet_upproj/upproj_training.hpp"
#include "tests/layers/golden_support.hpp"
#include "tests/support/real_data.hpp"
#include "weights_import/keras_resnet.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

const std::vector<std::string> kFeatures{"res2c", "res3d", "res4f"};

// A depth network that starts from the encoder, as a weights file has it: Keras, then load_encoder.
std::vector<NamedTensor> network_tensors(const std::filesystem::path& path, ResnetUpproj& config) {
  const ImportedEncoder encoder = import_keras_resnet50(*open_tensor_file(path));
  config.preprocess = encoder.preprocess;
  Context context = Context::current();
  Graph graph(context);
  ParamStore params(ParamStore::Kind::Trainable), statistics(ParamStore::Kind::Frozen);
  build_resnet_upproj_training(graph, params, statistics,
                               graph.add_input("picture", {{1, 64, 64, 3}, DType::F32}), config, DType::F32);
  params.allocate();
  statistics.allocate();
  initialize_resnet_upproj(params, statistics, config, 1);
  load_encoder(params, statistics, config, encoder.tensors, path.string());
  return resnet_upproj_file_tensors(params, statistics, config);
}

// The inference form's features of one picture.
std::map<std::string, std::vector<float>> features(const std::vector<NamedTensor>& tensors,
                                                   const ResnetUpproj& config, Shape shape,
                                                   const std::vector<float>& picture) {
  Context context = Context::current();
  Graph graph(context);
  ParamStore store(ParamStore::Kind::Frozen);
  const TensorId input = graph.add_input("picture", {shape, DType::F32});
  const auto ids = build_resnet_upproj(graph, store, input, config, DType::F32, kFeatures, "");
  for (const auto& [name, id] : ids) graph.keep(id);
  store.allocate();
  load_resnet_upproj(store, config, tensors, "depth.h5");
  Session session(std::move(graph), {});
  fill(session.tensor(input), picture);
  session.forward();
  std::map<std::string, std::vector<float>> result;
  for (const auto& [name, id] : ids) result[name] = to_floats(session.tensor(id));
  return result;
}

}  // namespace

TEST_CASE("keras_resnet: the encoder's features are those of Keras' network") {
  const auto data = test::real_data();
  if (!data) return;
  const std::filesystem::path& folder = *data;
  ResnetUpproj config{.has_stage5 = false};
  const auto tensors = network_tensors(folder / "resnet50/resnet50_imagenet_conv1_to_conv4.h5", config);

  // Norm and samples from PyTorch in float64: tests/golden/keras_resnet50.py.
  const std::map<std::string, std::array<double, 7>> expected = {
      {"res2c", {460.025951, 0, 1.88627241, 0.0297455665, 1.27505686, 1.72331079, 0}},
      {"res3d", {341.393659, 0.109775805, 1.10452589, 2.38938721, 0, 1.52863884, 0}},
      {"res4f", {151.587204, 0.0348548604, 0.0190351232, 0.588132121, 0.300096892, 0.0330006559, 0}}};
  const auto found = features(tensors, config, {1, 64, 80, 3}, hash_picture("photo", 1, 64, 80));
  for (const auto& [name, values] : expected) {
    CAPTURE(name);
    const auto& feature = found.at(name);
    CHECK(norm(feature) == doctest::Approx(values[0]).epsilon(1e-5));
    for (std::size_t i = 0; i < 6; ++i) {
      CAPTURE(i);
      CHECK(std::abs(double(feature[i * 104729 % feature.size()]) - values[i + 1]) <= 1e-4);
    }
  }

  const Image photo = decode_image((folder / "photos/content/amber.jpg").string());
  const Shape shape{1, 224, 224, 3};
  std::vector<float> pixels;
  for (std::int64_t h = 0; h < shape.h; ++h)
    for (std::int64_t i = 0; i < shape.w * 3; ++i)
      pixels.push_back(float(photo.pixels[static_cast<std::size_t>(h * photo.width * 3 + i)]));
  for (const auto& [name, values] : features(tensors, config, shape, pixels)) {
    CAPTURE(name);
    CHECK(std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }));
    const double rms = norm(values) / std::sqrt(double(values.size()));
    CHECK(rms > 0.1);
    CHECK(rms < 10);
  }
}
