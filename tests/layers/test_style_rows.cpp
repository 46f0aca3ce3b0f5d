// Several styles in one network: the same as a network for each style, and those networks out of a file.
#include "layers/networks/transform_net/style_rows.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>

#include "engine/param_io.hpp"
#include "engine/session.hpp"
#include "engine/transfer.hpp"
#include "layers/networks/transform_net/transform_model.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/hash_weights.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

const TransformNet kThree{.width = 4,
                          .residual_blocks = 1,
                          .output = OutputRange::Scaled150,
                          .styles = {"wave", "scream", "night"}};
constexpr Shape kPictures{4, 20, 24, 3};
constexpr std::int64_t kOnePicture = kPictures.h * kPictures.w * 3;

std::unique_ptr<ParamStore> random_store(const TransformNet& config, ParamStore::Kind kind) {
  auto store = std::make_unique<ParamStore>(kind);
  declare_transform_net(*store, config);
  store->allocate();
  for (int i = 0; i < static_cast<int>(store->entries().size()); ++i) {
    const auto& entry = store->entries()[i];
    const std::array shape{entry.shape.n, entry.shape.h, entry.shape.w, entry.shape.c};
    std::ranges::copy(hash_tensor(entry.name, shape, kSeedTransform), store->value(i));
  }
  store->values_changed();
  return store;
}

struct Run {
  std::vector<float> output;
  std::vector<NamedTensor> gradients;
};

// Gradients of the sum of the output times `slope`.
Run run(const TransformNet& config, ParamStore& store, std::span<const float> pictures,
        std::span<const float> shares, std::span<const float> slope) {
  Context context(2);
  Graph graph(context);
  const std::int64_t n = static_cast<std::int64_t>(pictures.size()) / kOnePicture;
  const TensorId input = graph.add_input("pictures", {{n, kPictures.h, kPictures.w, 3}, DType::F32});
  const TensorId mix =
      config.rows() > 1 ? graph.add_input("shares", {{n, 1, 1, config.rows()}, DType::F32}) : -1;
  const TensorId output = build_transform_net(graph, store, input, config, DType::F32, mix);
  graph.keep(output);
  graph.keep_gradient(output);
  Session session(std::move(graph), {.backward = true});
  write_tensor(context, session.tensor(input), pictures);
  if (mix >= 0) write_tensor(context, session.tensor(mix), shares);
  session.forward();
  Run result{.output = read_tensor(context, session.tensor(output))};
  write_tensor(context, session.gradient(output), slope);
  session.backward_from(output);
  result.gradients = save_slab(store, store.gradients());
  return result;
}

double error(std::span<const float> exact, std::span<const float> found) {
  REQUIRE(exact.size() == found.size());
  double squares = 0, norm = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    squares += (double(found[i]) - exact[i]) * (double(found[i]) - exact[i]);
    norm += double(exact[i]) * exact[i];
  }
  return norm > 0 ? squares / norm : squares;
}

}  // namespace

// The first picture in the first style, the second in the third, the third in the first, the fourth in a mixture of the
// first two.
TEST_CASE("styles: pictures and gradients are those of a network for each style") {
  const auto store = random_store(kThree, ParamStore::Kind::Trainable);
  const auto pictures = hash_picture("pictures", kPictures.n, kPictures.h, kPictures.w);
  const auto slope = hash_tensor(
      "slope.weight", std::array{kPictures.n, kPictures.h, kPictures.w, std::int64_t{3}}, kSeedPicture);
  const std::vector<float> shares{1, 0, 0, 0, 0, 1, 1, 0, 0, 0.25f, 0.75f, 0};
  const Run all = run(kThree, *store, pictures, shares, slope);

  // The tables of one style with a name are vectors; its output keeps its range.
  TransformNet single = kThree;
  single.styles = {"one"};
  std::map<std::string, std::vector<double>> sums;
  for (std::int64_t n = 0; n < kPictures.n; ++n) {
    CAPTURE(n);
    const std::vector<float> own(shares.begin() + n * 3, shares.begin() + n * 3 + 3);
    TransformNet linear = kThree;  // so that the range stays in the graph
    linear.output = OutputRange::Linear;
    const auto alone = random_store(single, ParamStore::Kind::Trainable);
    load_parameters(*alone, plain_parameters(save_parameters(*store), linear, own), "alone");
    const std::span picture(pictures.data() + n * kOnePicture, kOnePicture);
    const Run one = run(single, *alone, picture, {}, {slope.data() + n * kOnePicture, kOnePicture});
    CHECK(error(one.output, {all.output.data() + n * kOnePicture, kOnePicture}) <= 1e-12);
    for (const auto& gradient : one.gradients) {
      auto& sum = sums[gradient.name];
      const bool table = gradient.name.ends_with(".gamma") || gradient.name.ends_with(".beta");
      const std::size_t count = gradient.values.size();
      sum.resize(table ? 3 * count : count);
      for (std::size_t row = 0; row < (table ? 3 : 1); ++row)
        for (std::size_t i = 0; i < count; ++i)
          sum[row * count + i] += double(table ? own[row] : 1.f) * double(gradient.values[i]);
    }
  }
  for (const auto& gradient : all.gradients) {
    CAPTURE(gradient.name);
    const auto& exact = sums.at(gradient.name);
    // The betas at the end of residual blocks shift whole channels, which the next norm removes: zero but for rounding.
    if (gradient.name == "res1.norm2.beta") continue;
    CHECK(error(std::vector<float>(exact.begin(), exact.end()), gradient.values) <= 1e-9);
  }
}

TEST_CASE("styles: a style out of a file, and a mixture, give what the network of all gives") {
  const auto store = random_store(kThree, ParamStore::Kind::Frozen);
  const WeightsFile file = transform_weights_file(*store, kThree, R"({"tool":"test"})");
  CHECK(transform_net_from_json(file.architecture, "file") == kThree);
  std::vector<std::uint8_t> photo(kOnePicture);
  for (std::size_t i = 0; i < photo.size(); ++i) photo[i] = static_cast<std::uint8_t>(i * 37 % 256);
  const std::vector<float> pixels(photo.begin(), photo.end()), slope(photo.size(), 0.f);
  for (const std::string text : {"scream", "wave=1,night=3"}) {
    CAPTURE(text);
    const auto shares = parse_style_shares(text);
    const Run all = [&] {
      const auto trainable = random_store(kThree, ParamStore::Kind::Trainable);
      return run(kThree, *trainable, pixels, row_shares(kThree, shares, "file"), slope);
    }();
    const WeightsFile plain = choose_style(file, shares, "file");
    CHECK(transform_net_from_json(plain.architecture, "plain") == plain_config(kThree));
    CHECK(plain.provenance.find(R"("style":")" + to_text(shares) + "\"") != std::string::npos);
    for (const auto& [weights, choice] : {std::pair(file, shares), {plain, std::vector<StyleShare>{}}}) {
      const TransformModel model = make_transform_model(weights, "file", choice);
      Context context(2);
      Stylizer stylizer(context, *model.params, model.config, kPictures.h, kPictures.w, DType::F32);
      std::vector<std::uint8_t> styled(photo.size());
      stylizer.run(photo.data(), styled.data());
      for (std::size_t i = 0; i < styled.size(); ++i) {
        const float exact = std::clamp(all.output[i], 0.f, 255.f);
        CHECK(std::abs(exact - float(styled[i])) <= 0.51f);
      }
    }
  }
}

TEST_CASE("styles: a trained network is the start of one with other styles and another output range") {
  const auto store = random_store(kThree, ParamStore::Kind::Frozen);
  const WeightsFile file = transform_weights_file(*store, kThree, "{}");
  TransformNet wanted = kThree;
  wanted.output = OutputRange::Linear;
  wanted.styles = {"udnie", "scream"};
  const auto found = start_parameters(file, wanted, "base.h5");
  const auto at = [](const std::vector<NamedTensor>& list, const std::string& name) {
    return std::find_if(list.begin(), list.end(), [&](const auto& t) { return t.name == name; })->values;
  };
  const auto before = at(file.parameters, "norm2.gamma"), rows = at(found, "norm2.gamma");
  REQUIRE(rows.size() == 16);
  for (std::size_t c = 0; c < 8; ++c) {
    CHECK(rows[c] == doctest::Approx((before[c] + before[8 + c] + before[16 + c]) / 3).epsilon(1e-6));
    CHECK(rows[8 + c] == before[8 + c]);
  }
  CHECK(at(found, "conv2.weight") == at(file.parameters, "conv2.weight"));
  CHECK(at(found, "out.weight")[5] == doctest::Approx(150 * at(file.parameters, "out.weight")[5]));
  CHECK(at(found, "out.bias")[1] == doctest::Approx(150 * at(file.parameters, "out.bias")[1] + 127.5));

  TransformNet one = kThree;
  one.styles = {"night"};
  const auto single = start_parameters(file, one, "base.h5");
  CHECK(at(single, "norm2.gamma") == std::vector<float>(before.begin() + 16, before.end()));
  CHECK(at(single, "out.weight")[5] == doctest::Approx(at(file.parameters, "out.weight")[5]));

  wanted.width = 8;
  CHECK(contains(error_of([&] { start_parameters(file, wanted, "base.h5"); }),
                 "base.h5: holds a transform network"));
}

TEST_CASE("styles: shares are read, and what is wrong is said") {
  const auto shares = parse_style_shares("wave=3,the_scream=1");
  REQUIRE(shares.size() == 2);
  CHECK(shares[0].name == "wave");
  CHECK(shares[0].share == 0.75);
  CHECK(shares[1].share == 0.25);
  CHECK(to_text(shares) == "wave=0.75,the_scream=0.25");
  CHECK(to_text(parse_style_shares("wave=7")) == "wave");
  for (const std::string text : {"", "wave,", "=1"})
    CHECK(contains(error_of([&] { parse_style_shares(text); }), "expected NAME or NAME=SHARE"));
  for (const std::string text : {"wave=0", "wave=-1", "wave=x", "wave=", "wave=inf", "wave=nan", "wave=1x"})
    CHECK(contains(error_of([&] { parse_style_shares(text); }), "expected NAME=SHARE with a number above 0"));
  CHECK(contains(error_of([&] { parse_style_shares("a,b,a"); }), "names a twice"));

  CHECK(row_shares(kThree, parse_style_shares("night=1,wave=3"), "f") == std::vector<float>{0.75f, 0, 0.25f});
  CHECK(error_of([&] { row_shares(kThree, parse_style_shares("waves"), "f.h5"); }) ==
        "f.h5: has no style 'waves'; there are: wave, scream, night; did you mean 'wave'?");
  CHECK(contains(error_of([&] { row_shares(kThree, {}, "f.h5"); }),
                 "f.h5: has the styles wave, scream, night"));
  CHECK(row_shares({}, {}, "f") == std::vector<float>{1});
  CHECK(contains(error_of([&] { row_shares({}, parse_style_shares("wave"), "f"); }),
                 "its only style has no name"));
}

TEST_CASE("styles: names in files are checked") {
  const auto error_with = [](const std::string& styles) {
    const std::string text =
        R"({"width":4,"residual_blocks":1,"upsample":"nearest","padding":"reflect","norm_eps":1e-5,)"
        R"("output":"linear","styles":)" +
        styles + "}";
    return error_of([&] { transform_net_from_json(text, "m.h5"); });
  };
  CHECK(error_with(R"(["a","b c-d_1.2"])").empty());
  CHECK(contains(error_with(R"(["a","a"])"), "two styles are called \"a\""));
  for (const std::string bad : {R"([""])", R"(["a,b"])", R"(["a=b"])", R"(["../a"])", R"(["all"])"})
    CHECK(contains(error_with(bad),
                   "is no name for a style, expected letters, digits, spaces, '_', '-' and '.', at "
                   "most 100, and not \"all\""));
  CHECK(contains(error_with("7"), "m.h5: the architecture of the transform network is not usable"));
}
