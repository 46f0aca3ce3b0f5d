// The program evaluate_engine and the command inspect_engine depth from the outside, with tiny random
// networks.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/evaluate/depth_estimator.hpp"
#include "apps/evaluate/depth_picture.hpp"
#include "engine/io/h5_file.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/networks/transform_net/transform_model.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/tiny_training.hpp"

using namespace chiaro;
using test::contains;
using test::ProgramResult;
using test::Words;

namespace {

// The folder of TinyTraining with model.h5, the depth network of TinyTraining as holes.h5, whose last ReLU
// leaves zeros, and the same as depth.h5 with an offset that lifts all depths above 0.
class Workplace : public test::TinyTraining {
 public:
  Workplace() {
    add_depth_network();
    WeightsFile network = read_weights(depth());
    write_weights(holes(), network);
    for (auto& tensor : network.parameters)
      if (tensor.name == "ConvPred.bias") tensor.values.assign(1, 500);
    write_weights(depth(), network);
    const TransformNet config{.width = 4, .residual_blocks = 1};
    ParamStore params(ParamStore::Kind::Frozen);
    declare_transform_net(params, config);
    params.allocate();
    initialize_transform_net(params, config, 1);
    write_weights(model(), transform_weights_file(params, config, "{}"));
  }
  std::string model() const { return *this / "model.h5"; }
  std::string holes() const { return *this / "holes.h5"; }
  std::string photos() const { return path() + "/photos"; }
  std::string photo(int i) const { return photos() + "/" + std::to_string(i) + ".png"; }
  std::string out() const { return path() + "/out"; }
  Words perceptual() const { return {"--style", *this / "style.png", "--vgg19", vgg()}; }
  Words depth_and(Words more) const {
    more.insert(more.end(), {"--depth", depth()});
    return more;
  }

  ProgramResult evaluate(const Words& arguments) const {
    Words all{"--threads", "1", "-o", out()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return test::run_program(test::program_path("evaluate_engine"), all);
  }
  nlohmann::json result() const { return nlohmann::json::parse(read_text(out() + "/evaluation.json")); }

  // The only line on standard error; nothing is left behind.
  std::string refusal(const Words& arguments) const {
    const auto result = evaluate(arguments);
    CHECK(result.status == 1);
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK(!std::filesystem::exists(out() + "/evaluation.json"));
    return result.err;
  }
};

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("evaluate_engine: photos that were not stylized at all") {
  const Workplace at;
  const auto run = at.evaluate(at.depth_and({at.photos(), "--styled", "same=" + at.photos(), "--size", "0"}) +
                               at.perceptual());
  REQUIRE_MESSAGE(run.status == 0, run.err);
  CHECK(run.err == "");
  const auto json = at.result();
  CHECK(json["pictures"].size() == 8);
  CHECK(json["pictures"][2]["photo"] == at.photo(2));
  CHECK(json["pictures"][2]["height"] == 46);
  CHECK(json["pictures"][2]["width"] == 60);
  CHECK(json["skipped"].empty());
  const auto& mean = json["means"][0];
  CHECK(mean["name"] == "same");
  CHECK(mean["pictures"] == 8);
  for (const char* zero : {"depth_abs_rel", "depth_rmse", "depth_log10", "content", "content_raw"})
    CHECK_MESSAGE(mean[zero] == 0, std::string(zero));
  for (const char* one : {"depth_delta1", "depth_delta2", "depth_delta3", "depth_ssim", "depth_spearman",
                          "gray_ssim", "style", "style_relu1_1", "style_relu5_1", "depth_scale"})
    CHECK_MESSAGE(mean[one].get<double>() == doctest::Approx(1).epsilon(1e-9), std::string(one));
  CHECK(mean["style_raw"] > 0);
  CHECK(mean["depth_valid_pixels"] > 0);
  CHECK(mean["depth_valid_pixels"] == mean["depth_pixels"]);
}

TEST_CASE("evaluate_engine: a depth network with zeros in its maps") {
  const Workplace at;
  const auto run = at.evaluate({at.photos(), "--styled", at.photos(), "--depth", at.holes(), "--size", "0"});
  REQUIRE_MESSAGE(run.status == 0, run.err);
  const auto json = at.result();
  const auto& mean = json["means"][0];
  CHECK(mean["name"] == "photos");
  CHECK(mean["depth_abs_rel"] == 0);
  CHECK(mean["depth_spearman"].get<double>() == doctest::Approx(1));
  CHECK(mean["depth_valid_pixels"] > 0);
  CHECK(mean["depth_valid_pixels"] < mean["depth_pixels"]);
  double valid = 0;
  for (const auto& picture : json["pictures"])
    valid += picture["results"]["photos"]["depth_valid_share"].get<double>() / 8;
  CHECK(mean["depth_valid_share"].get<double>() == doctest::Approx(valid));
  // No window without a zero: SSIM is not defined.
  CHECK(mean["depth_ssim"].is_null());
  CHECK(contains(run.out, " - "));
}

TEST_CASE("evaluate_engine: a model and the folder of what it made give the same numbers") {
  const Workplace at;
  const std::string styled = at.path() + "/made";
  REQUIRE(test::run_program(
              test::program_path("stylize_engine"),
              {"--model", at.model(), at.photos(), "-o", styled, "--precision", "fp32", "--threads", "1"})
              .status == 0);
  const auto run = at.evaluate(at.depth_and({at.photo(0), at.photo(3), "--styled", styled, "--model",
                                             "m=" + at.model(), "--size", "0"}) +
                               at.perceptual());
  REQUIRE_MESSAGE(run.status == 0, run.err);
  const auto json = at.result();
  auto folder = json["means"][0], model = json["means"][1];
  CHECK(folder["name"] == "made");  // in the order of the command line
  CHECK(folder["folder"] == styled);
  CHECK(model["name"] == "m");
  CHECK(model["model"] == at.model());
  CHECK(model["depth_abs_rel"] > 0);
  CHECK(model["style"] != 1);
  CHECK(model["content"] > 0);
  for (const auto& picture : json["pictures"]) CHECK(picture["results"]["made"] == picture["results"]["m"]);
  for (const char* name : {"depth_abs_rel", "style", "content_raw", "gray_ssim"}) {
    const auto of = [&](int i) { return json["pictures"][i]["results"]["m"][name].get<double>(); };
    CHECK(model[name].get<double>() == doctest::Approx((of(0) + of(1)) / 2));
  }
  for (const auto& part : {"AbsRel", "Spearman", "relu3_1", "means over 2 photos", "sheet.jpg"})
    CHECK_MESSAGE(contains(run.out, part), part);
  CHECK(json["settings"]["precision"] == "fp32");
  CHECK(contains(json["settings"]["command"].get<std::string>(), "evaluate_engine --threads 1"));
  const Image sheet = decode_image(at.out() + "/sheet.jpg");
  CHECK(sheet.width == 8 * 256 + 9 * 8);

  const std::string first = read_text(at.out() + "/evaluation.json");  // the same again gives the same bytes
  REQUIRE(at.evaluate(at.depth_and({at.photo(0), at.photo(3), "--styled", styled, "--model",
                                    "m=" + at.model(), "--size", "0"}) +
                      at.perceptual())
              .status == 0);
  CHECK(read_text(at.out() + "/evaluation.json") == first);
}

TEST_CASE("evaluate_engine: sizes, scaling, layers and the sheet") {
  const Workplace at;
  const auto run =
      at.evaluate(at.depth_and({at.photos(), "--model", at.model(), "--size", "56", "--median-scaling",
                                "--sheet", "2", "--style-layers", "relu2_2,relu3_1", "--content-layer",
                                "relu3_2", "--style-size", "40"}) +
                  at.perceptual());
  REQUIRE_MESSAGE(run.status == 0, run.err);
  const auto json = at.result();
  CHECK(json["pictures"][0]["width"] == 56);
  CHECK(json["pictures"][0]["height"] == 35);
  CHECK(json["means"][0].contains("style_relu2_2"));
  CHECK(!json["means"][0].contains("style_relu1_1"));
  CHECK(json["means"][0]["depth_scale"] != 1);
  CHECK(json["settings"]["median_scaling"] == "true");
  CHECK(decode_image(at.out() + "/sheet.jpg").width == 5 * 256 + 6 * 8);
}

TEST_CASE("evaluate_engine: what is not given is left out and said") {
  const Workplace at;
  const auto depth = at.evaluate(at.depth_and({at.photo(0), "--model", at.model(), "--sheet", "0"}));
  REQUIRE_MESSAGE(depth.status == 0, depth.err);
  CHECK(contains(depth.out, "no --style: style and content distances are left out\n"));
  CHECK(!at.result()["means"][0].contains("style"));
  CHECK(!std::filesystem::exists(at.out() + "/sheet.jpg"));
  CHECK(contains(at.evaluate(at.depth_and({at.photo(0), "--model", at.model(), "--style", at.photo(1)})).out,
                 "no --vgg19: style and content distances are left out\n"));

  const auto style = at.evaluate(Words{at.photo(0), "--model", at.model()} + at.perceptual());
  REQUIRE_MESSAGE(style.status == 0, style.err);
  CHECK(contains(style.out, "no --depth: depth preservation is left out\n"));
  CHECK(!at.result()["means"][0].contains("depth_abs_rel"));
  CHECK(decode_image(at.out() + "/sheet.jpg").width == 2 * 256 + 3 * 8);
}

TEST_CASE("evaluate_engine: photos that cannot be judged are named, the others finished") {
  const Workplace at;
  at.write("photos/broken.png", "\x89PNG\r\n\x1A\n and no more");
  at.add_picture("photos/small.png", 20, 90);
  at.add_picture("some/0.png", 40, 64);
  at.add_picture("some/1.png", 43, 62);
  at.add_picture("some/2.png", 46, 46);
  at.add_picture("some/3.png", 49, 58);
  at.add_picture("some/3.jpg", 49, 58);
  const auto run =
      at.evaluate(at.depth_and({at.photos(), "--styled", at.path() + "/some", "--model", at.model()}));
  CHECK(run.status == 1);
  CHECK(contains(run.err, "evaluate_engine: " + at.photos() + "/broken.png: "));
  CHECK(contains(run.err, at.photos() + "/small.png: 90x20 pixels are too few; at least 32x32 are needed\n"));
  CHECK(contains(run.err, at.path() + "/some/2.png: 46x46 pixels do not have the shape of " + at.photo(2)));
  CHECK(contains(run.err, at.photo(3) + ": 2 pictures called '3' in " + at.path() + "/some, expected one\n"));
  CHECK(contains(run.err, at.photo(4) + ": 0 pictures called '4' in "));
  CHECK(contains(run.err, "evaluate_engine: 8 of 10 photos were left out; the reasons are above\n"));
  const auto json = at.result();
  CHECK(json["pictures"].size() == 2);
  CHECK(json["skipped"].size() == 8);
  CHECK(json["means"][1]["pictures"] == 2);
  CHECK(json["skipped"][1]["photo"] == at.photos() + "/small.png");

  const auto narrow =
      at.evaluate(at.depth_and({at.photo(0), at.photo(7), "--model", at.model(), "--size", "48"}));
  CHECK(narrow.status == 1);
  CHECK(
      contains(narrow.err, "0.png: 64x40 pixels, judged as 48x30, are too few; at least 32x32 are needed\n"));
}

TEST_CASE("evaluate_engine: refusals") {
  const Workplace at;
  const std::string prefix = "evaluate_engine: ";
  CHECK(at.refusal({at.photos(), "--model", at.model()}) ==
        prefix + "nothing to measure with: give --depth, or --style and --vgg19, or all three\n");
  CHECK(at.refusal(at.depth_and({at.photos()})) ==
        prefix + "nothing to evaluate: give --model or --styled at least once\n");
  CHECK(at.refusal(at.depth_and({at.path() + "/none", "--model", at.model()})) ==
        prefix + at.path() + "/none: no such file or folder\n");
  CHECK(contains(at.refusal(at.depth_and({at.photos(), "--model", "none.h5"})), "none.h5: no such file"));
  CHECK(contains(at.refusal(at.depth_and({at.photos(), "--model", "=" + at.model()})), "expected NAME=FILE"));
  CHECK(contains(at.refusal(at.depth_and({at.photos(), "--model", at.vgg()})),
                 "holds a network of kind 'vgg19', expected 'transform_net'"));
  CHECK(contains(at.refusal({at.photos(), "--model", at.model(), "--depth", at.vgg()}),
                 "holds a network of kind 'vgg19', expected 'resnet_upproj'"));
  CHECK(at.refusal(at.depth_and({at.photos(), "--model", at.model(), "--model", at.model()})) ==
        prefix + "two are called '" + std::filesystem::path(at.path()).filename().string() +
            "'; give them names: --model NAME=" + at.model() + "\n");
  CHECK(at.refusal(at.depth_and({at.photos(), "--styled", at.path() + "/none"})) ==
        prefix + "--styled " + at.path() + "/none: no such folder\n");
  CHECK(contains(at.refusal(at.depth_and({at.photos(), "--styled", at.model()})), "is not a folder"));
  CHECK(contains(at.refusal(at.depth_and({at.photos(), at.photo(0), "--styled", at.photos()})),
                 "photos of one name"));
  CHECK(contains(
      at.refusal(Words{at.photos(), "--model", at.model(), "--style-layers", "relu9_1"} + at.perceptual()),
      "VGG-19 has no layer 'relu9_1'"));
  CHECK(contains(at.refusal({at.photos(), "--model", at.model(), "--style", "none.png", "--vgg19", at.vgg()}),
                 "none.png"));
  CHECK(contains(at.refusal(at.depth_and({at.photos(), "--model", at.model(), "--device", "cuda"})),
                 "no CUDA backend"));
  at.write("out", "a file");
  CHECK(contains(at.refusal(at.depth_and({at.photos(), "--model", at.model()})),
                 "/out: is a file, expected a folder"));
  CHECK(at.evaluate({}).status == 2);
  CHECK(at.evaluate({"--help"}).status == 0);
}

TEST_CASE("inspect_engine depth: the network's map, enlarged") {
  const Workplace at;
  const std::string out = at / "map.png", raw = at / "map.h5";
  const auto run = test::run_program(test::program_path("inspect_engine"),
                                     {"depth", at.photo(1), "--weights", at.depth(), "-o", out, "--raw", raw,
                                      "--size", "0", "--threads", "1"});
  REQUIRE_MESSAGE(run.status == 0, run.err);
  Context context(1);
  DepthEstimator network(context, at.depth(), DType::F32);
  const DepthMap own = network.estimate(decode_image(at.photo(1)));
  CHECK(own.height == 48);
  CHECK(own.width == 64);
  const DepthMap expected = resize_bilinear(own, 43, 62);
  const H5Reader file(raw);
  CHECK(file.shape("depth") == std::vector<std::int64_t>{43, 62});
  CHECK(file.floats("depth") == expected.meters);
  CHECK(file.string_attribute("/", "unit") == "m");
  const auto depths = depths_of(expected);
  CHECK(contains(run.out, fmt::format("min {:.3f} m, median {:.3f} m, max {:.3f} m\n", quantile(depths, 0),
                                      quantile(depths, 0.5), quantile(depths, 1))));
  const Image map = decode_image(out), colored = draw_depth(expected, range_of(expected, 0));
  CHECK(map.width == 62);
  CHECK(map.height == 43 + 4 + scale_bar_height());
  CHECK(std::equal(colored.pixels.begin(), colored.pixels.end(), map.pixels.begin()));
}

TEST_CASE("inspect_engine depth: refusals") {
  const Workplace at;
  at.add_picture("small.png", 31, 60);
  const auto refusal = [&](const std::string& image, const std::string& weights, const std::string& out) {
    const auto run = test::run_program(test::program_path("inspect_engine"),
                                       {"depth", image, "--weights", weights, "-o", out});
    CHECK(run.status == 1);
    CHECK(std::count(run.err.begin(), run.err.end(), '\n') == 1);
    CHECK(!std::filesystem::exists(out));
    return run.err;
  };
  const std::string out = at / "map.png";
  CHECK(refusal(at / "small.png", at.depth(), out) ==
        "inspect_engine: " + (at / "small.png") + ": 60x31 pixels are too few; at least 32x32 are needed\n");
  CHECK(contains(refusal(at / "none.png", at.depth(), out), "none.png"));
  CHECK(contains(refusal(at.photo(0), at.vgg(), out), "expected 'resnet_upproj'"));
  CHECK(contains(refusal(at.photo(0), at.depth(), at.path() + "/no/map.png"), "/no' does not exist"));
  CHECK(contains(refusal(at.photo(0), at.depth(), at / "map.tif"), "map.tif"));
}
