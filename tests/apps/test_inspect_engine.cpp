// The program inspect_engine: its five commands on small inputs, and its error messages.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "apps/inspect/feature_picture.hpp"
#include "apps/training/config.hpp"
#include "engine/io/h5_file.hpp"
#include "engine/io/weights_file.hpp"
#include "engine/session.hpp"
#include "kernels/elementwise/image_convert.hpp"
#include "layers/networks/loss_network.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/networks/transform_net/transform_model.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/hash_weights.hpp"
#include "tests/support/picture_folder.hpp"
#include "tests/support/run_program.hpp"
#include "weights_import/random_vgg.hpp"

using namespace chiaro;
using test::contains;

namespace {

test::ProgramResult inspect(const std::vector<std::string>& arguments) {
  return test::run_program(test::program_path("inspect_engine"), arguments);
}

std::string refusal(const std::vector<std::string>& arguments) {
  const auto result = inspect(arguments);
  CHECK(result.status == 1);
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  return result.err;
}

Image inspected_image(const std::string& name, std::int64_t height, std::int64_t width) {
  const auto values = test::hash_picture(name, 1, height, width);
  Image image(height, width, 3);
  std::transform(values.begin(), values.end(), image.pixels.begin(),
                 [](float v) { return static_cast<std::uint8_t>(v); });
  return image;
}

// A folder with a picture, a narrow VGG-19 and the configuration of a small run.
class InspectWorkplace {
 public:
  InspectWorkplace() {
    encode_image(picture, inspected_image("picture", 40, 56));
    write_weights(vgg, random_vgg(19, 4, 1));
    for (const char* name : {"a", "b", "c"})
      encode_image(folder / (std::string("photos/") + name + ".png"), inspected_image(name, 36, 44));
    folder.write("run.toml",
                 "[data]\ntrain = [\"photos\"]\nimage_size = 32\nbatch_size = 2\n"
                 "[model]\nwidth = 4\nresidual_blocks = 1\noutput = \"linear\"\n"
                 "[style]\nimage = \"picture.png\"\n"
                 "[weights]\nvgg19 = \"vgg.h5\"\n"
                 "[loss.depth]\nweight = 0\n"
                 "[train]\nprecision = \"fp32\"\nout = \"out\"\n");
  }

  test::PictureFolder folder;
  std::string picture = folder / "picture.png", vgg = folder / "vgg.h5", config = folder / "run.toml";
};

double norm(const std::vector<float>& values) {
  double sum = 0;
  for (const float v : values) sum += double(v) * v;
  return std::sqrt(sum);
}

double number(const H5Reader& file, const std::string& name) {
  return file.doubles(name, {}).at(0);
}

}  // namespace

TEST_CASE("inspect_engine activations: the features as the library computes them") {
  const InspectWorkplace at;
  const std::string out = at.folder / "out.h5";
  const auto result = inspect({"activations", "--net", "vgg19", "--weights", at.vgg, "--image", at.picture,
                               "--layers", "relu2_1,conv1_2,relu2_1", "-o", out});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const H5Reader file(out);
  CHECK(file.datasets() == std::vector<std::string>{"relu2_1", "conv1_2"});
  CHECK(file.string_attribute("/", "net") == "vgg19");
  CHECK(file.string_attribute("/", "weights") == at.vgg);
  CHECK(file.string_attribute("/", "image") == at.picture);
  CHECK(file.string_attribute("/", "precision") == "fp32");

  const std::vector<std::string> layers{"conv1_2", "relu2_1"};
  const auto network = LossNetwork::load(read_weights(at.vgg), at.vgg, layers);
  Context context;
  Graph graph(context);
  const TensorId input = graph.add_input("picture", {{1, 40, 56, 3}, DType::F32});
  const auto ids = network->build(graph, input, DType::F32, layers, "");
  for (const auto& [layer, id] : ids) graph.keep(id);
  Session session(std::move(graph), {});
  image_convert::to_tensor(context, decode_image(at.picture).pixels.data(), session.tensor(input));
  session.forward();
  CHECK(file.shape("conv1_2") == std::vector<std::int64_t>{1, 40, 56, 4});
  CHECK(file.shape("relu2_1") == std::vector<std::int64_t>{1, 20, 28, 8});
  for (const auto& layer : layers) {
    const TensorView expected = session.tensor(ids.at(layer));
    const auto found = file.floats(layer);
    CHECK(std::equal(found.begin(), found.end(), expected.as<float>()));
    CHECK(norm(found) > 0);
  }
}

TEST_CASE("inspect_engine activations: bf16 is written as the floats that it is") {
  const InspectWorkplace at;
  const std::string out = at.folder / "out.h5";
  const auto result = inspect({"activations", "--net", "vgg19", "--weights", at.vgg, "--image", at.picture,
                               "--layers", "relu1_2", "--precision", "bf16", "-o", out});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const H5Reader file(out);
  CHECK(file.string_attribute("/", "precision") == "bf16");
  const auto values = file.floats("relu1_2");
  CHECK(std::all_of(values.begin(), values.end(), [](float v) { return v == float(bf16(v)); }));
  CHECK(norm(values) > 0);
}

TEST_CASE("inspect_engine activations: refusals") {
  const InspectWorkplace at;
  const std::string out = at.folder / "out.h5";
  const auto with = [&](const std::string& net, const std::string& weights, const std::string& image,
                        const std::string& layers, const std::string& output) {
    return refusal({"activations", "--net", net, "--weights", weights, "--image", image, "--layers", layers,
                    "-o", output});
  };
  CHECK(with("vgg19", at.vgg, at.picture, "relu4_9", out) ==
        "inspect_engine: VGG-19 has no layer 'relu4_9'; did you mean 'relu4_1'?\n");
  CHECK(with("vgg16", at.vgg, at.picture, "relu1_1", out) ==
        "inspect_engine: " + at.vgg + ": holds a network of kind 'vgg19', expected 'vgg16'\n");
  CHECK(contains(with("vgg19", at.vgg, at.folder / "none.png", "relu1_1", out), "none.png: "));
  CHECK(contains(with("vgg19", at.folder / "none.h5", at.picture, "relu1_1", out), "none.h5: "));
  CHECK(contains(with("resnet_upproj", "random", at.picture, "prediction", out),
                 "random filters see no depth"));
  CHECK(contains(with("vgg19", at.vgg, at.picture, "relu1_1", at.folder.path() + "/no/out.h5"),
                 "/no' does not exist"));
  CHECK(!std::filesystem::exists(out));
  CHECK(inspect({}).status == 2);
  CHECK(inspect({"activations", "--help"}).status == 0);
}

TEST_CASE("inspect_engine gradients: losses, norms and gradients belong together") {
  const InspectWorkplace at;
  const std::string out = at.folder / "out.h5";
  const auto result = inspect({"gradients", at.config, "--set", "seed=3", "-o", out});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(!std::filesystem::exists(at.folder.path() + "/out"));
  const H5Reader file(out);
  const TrainConfig config = parse_config(file.string_attribute("/", "config"), "config", "/");
  CHECK(config.seed == 3);
  CHECK(file.datasets("raw") == std::vector<std::string>{"style", "content", "tv", "range"});
  CHECK(file.shape("batch") == std::vector<std::int64_t>{2, 32, 32, 3});
  CHECK(file.strings("photos").size() == 2);
  double total = 0;
  for (const auto& [term, weight] : {std::pair{"style", config.loss.style.weight},
                                     {"content", config.loss.content().weight},
                                     {"tv", config.loss.tv().weight},
                                     {"range", config.loss.range().weight}}) {
    const double raw = number(file, std::string("raw/") + term);
    const bool may_be_0 = term == std::string("range");  // no value need lie outside
    CHECK((raw > 0 || may_be_0));
    CHECK(number(file, std::string("weighted/") + term) == doctest::Approx(weight * raw));
    CHECK((number(file, std::string("gradient_norms/") + term) > 0 || may_be_0));
    total += weight * raw;
  }
  CHECK(number(file, "total") == doctest::Approx(total));
  CHECK(file.shape("output") == file.shape("batch"));
  CHECK(file.shape("grad/conv1.weight") == std::vector<std::int64_t>{4, 9, 9, 3});
  CHECK(file.shape("grad/out.bias") == std::vector<std::int64_t>{3});

  // With a linear output the bias is added to every pixel: its gradient is the sum of that of the generated
  // pictures.
  const auto grad_output = file.floats("grad_output");
  std::array<double, 3> sum{};
  for (std::size_t i = 0; i < grad_output.size(); ++i) sum[i % 3] += grad_output[i];
  const auto grad_bias = file.floats("grad/out.bias");
  for (std::size_t c = 0; c < 3; ++c) CHECK(grad_bias[c] == doctest::Approx(sum[c]).epsilon(1e-3));

  // With one term alone, its norm is that of the total.
  const std::string alone = at.folder / "alone.h5";
  REQUIRE(inspect({"gradients", at.config, "--set", "loss.style.weight=0", "--set", "loss.content.weight=0",
                   "-o", alone})
              .status == 0);
  const H5Reader tv(alone);
  CHECK(number(tv, "gradient_norms/tv") == doctest::Approx(norm(tv.floats("grad_output"))));
}

TEST_CASE("inspect_engine gradients: errors of the configuration pass through") {
  const InspectWorkplace at;
  const std::string out = at.folder / "out.h5";
  CHECK(contains(refusal({"gradients", at.config, "--set", "train.iteration=1", "-o", out}),
                 "did you mean 'train.iterations'?"));
  CHECK(contains(refusal({"gradients", at.config, "--set", "task=depth", "-o", out}), "task = \"depth\""));
  CHECK(contains(refusal({"gradients", at.config, "--set", "weights.vgg19=none.h5", "-o", out}),
                 "weights are missing"));
  CHECK(contains(refusal({"gradients", at.folder / "none.toml", "-o", out}), "none.toml"));
  CHECK(!std::filesystem::exists(out));
}

TEST_CASE("inspect_engine model: for people and for programs") {
  const InspectWorkplace at;
  const std::string half = at.folder / "half.h5", plain = at.folder / "plain.h5";
  TransformNet network{.width = 4, .residual_blocks = 1};
  ParamStore params(ParamStore::Kind::Frozen);
  declare_transform_net(params, network);
  params.allocate();
  initialize_transform_net(params, network, 1);
  const auto weights = transform_weights_file(params, network, R"({"tool":"test","config":"a\nb\n"})");
  write_weights(plain, weights);
  write_weights(half, weights, true);

  const auto result = inspect({"model", half, "--json"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const auto json = nlohmann::json::parse(result.out);
  CHECK(json["kind"] == "transform_net");
  CHECK(json["parameters"] == params.parameter_count());
  CHECK(json["tensors"].size() == params.entries().size());
  CHECK(json["tensors"][0]["name"] == "conv1.weight");
  CHECK(json["tensors"][0]["shape"] == std::vector<int>{4, 9, 9, 3});
  CHECK(json["file_bytes"] == std::filesystem::file_size(half));
  CHECK(json["precision"] == "fp16");
  CHECK(json["architecture"]["width"] == 4);
  CHECK(json["provenance"]["config"] == "a\nb\n");
  CHECK(nlohmann::json::parse(inspect({"model", plain, "--json"}).out)["precision"] == "fp32");

  const auto text = inspect({"model", plain, "--tensors"}).out;
  for (const auto& part : {"transform_net", "stored in fp32", "residual_blocks", "(2 lines, shown by --json)",
                           "res1.norm2.gamma", "(4,9,9,3)"})
    CHECK_MESSAGE(contains(text, part), part);
  CHECK(contains(inspect({"model", at.vgg}).out, "vgg19"));
  CHECK(contains(
      refusal({"model", at.picture}),
      "no weights can be read from it: it is a PNG picture; expected chiaro's own file, Keras' HDF5, "));
  CHECK(contains(refusal({"model", at.vgg, "--as", "vgg16"}), "expected 'vgg16'"));
  CHECK(contains(refusal({"model", at.folder / "none.h5"}),
                 "none.h5: no such file, and no model of this name"));
  CHECK(contains(inspect({"model", "base"}).out, "transform_net"));
  CHECK(contains(refusal({"model", "/dev/zero"}), "/dev/zero: is not a regular file\n"));
  CHECK(contains(refusal({"model", at.folder.path()}), ": is a folder, expected a file\n"));
  CHECK(
      inspect({"modle", "base"}).err ==
      "inspect_engine: no command 'modle', expected model, features, activations, depth, gradients, plan; did you "
      "mean 'model'?\n");
}

TEST_CASE("inspect_engine plan: a training step, with and without the files it will need") {
  const InspectWorkplace at;
  const auto result = inspect({"plan", at.config});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(result.err == "");
  for (const auto& part : {"gradient of ", "arena", "lower bound", "without reuse", "loss network vgg19"})
    CHECK_MESSAGE(contains(result.out, part), part);

  // Standard networks are known without their files; the depth network is four fifths of the parameters.
  const auto bare =
      inspect({"plan", at.config, "--set", "weights.vgg19=none.h5", "--set", "weights.resnet_upproj=no.h5",
               "--set", "loss.depth.weight=1", "--set", "style.image=none.png", "--set", "data.train=nowhere",
               "--set", "data.image_size=64"});
  REQUIRE_MESSAGE(bare.status == 0, bare.err);
  CHECK(contains(bare.err, "none.h5: no such file; planned with vgg19 of standard width\n"));
  CHECK(contains(bare.err, "no.h5: no such file; planned with resnet_upproj of standard width\n"));
  CHECK(contains(bare.out, "loss network resnet_upproj"));
  CHECK(
      contains(refusal({"plan", at.config, "--set", "loss.style.layers=relu9_1"}), "has no layer 'relu9_1'"));
  CHECK(contains(refusal({"plan"}), "give a CONFIG.toml, or --size"));
}

TEST_CASE("inspect_engine plan: stylizing a size") {
  const auto bytes = [](const std::string& size, const std::string& width) {
    const auto result = inspect({"plan", "--size", size, "--model-width", width, "--precision", "fp32"});
    REQUIRE_MESSAGE(result.status == 0, result.err);
    const auto at = result.out.find("stylizing");
    REQUIRE(at != std::string::npos);
    return std::stoll(result.out.substr(at + std::strlen("stylizing")));
  };
  Context context;
  CHECK(bytes("300x400", "8") == Stylizer::estimate_bytes(context, {.width = 8}, 300, 400, DType::F32));
  for (const std::string size : {"300", "x", "300x", "300x400x3", "8x400", "-300x400"})
    CHECK(contains(refusal({"plan", "--size=" + size}), "expected HEIGHTxWIDTH"));
}

TEST_CASE("inspect_engine features: a row per layer") {
  const InspectWorkplace at;
  const std::string out = at.folder / "out.png";
  const auto result = inspect({"features", "--net", "vgg19", "--weights", at.vgg, "--image", at.picture,
                               "--layers", "relu1_1,relu3_1", "--channels", "3", "--cell", "112", "-o", out});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const Image sheet = decode_image(out);
  CHECK(sheet.width == 4 * 112 + 5 * 6);
  CHECK(sheet.height > 2 * 80 + 6);
  CHECK(contains(refusal({"features", "--net", "vgg19", "--weights", at.vgg, "--image", at.picture,
                          "--layers", "relu1_1", "-o", at.folder.path() + "/no/out.png"}),
                 "/no' does not exist"));
}

TEST_CASE("feature pictures: which channels, and how they are drawn") {
  // Channels: constant, 0..3, 0..30 with its largest value at the second pixel.
  const Feature feature{"x", {1, 2, 2, 3}, {9, 0, 0, 9, 1, 30, 9, 2, 20, 9, 3, 10}};
  CHECK(most_active_channels(feature, 2) == std::vector<std::int64_t>{2, 1});
  CHECK(most_active_channels(feature, 9) == std::vector<std::int64_t>{2, 1, 0});
  const Image gray = draw_channel(feature, 2, MapColors::Gray);
  CHECK(*gray.at(0, 0) == 0);
  CHECK(*gray.at(1, 1) == 128);
  CHECK(*gray.at(0, 1) == 255);
  const Image flat = draw_channel(feature, 0, MapColors::Magma);
  CHECK(std::vector<std::uint8_t>(flat.pixels.begin(), flat.pixels.begin() + 3) ==
        std::vector<std::uint8_t>{0, 0, 4});
}
