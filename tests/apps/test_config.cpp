#include <doctest/doctest.h>

#include <vector>

#include "apps/training/config.hpp"
#include "engine/file_util.hpp"
#include "engine/suggest.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"

namespace chiaro {
namespace {

using test::contains;
using test::error_of;
using test::TemporaryFolder;

TrainConfig parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_config(text, "config.toml", "/project", overrides);
}
std::string refusal(const std::string& text) {
  return error_of([&] { parse(text); });
}
std::string override_refusal(const std::string& text) {
  return error_of([&] { parse("", {text}); });
}

TEST_CASE("suggest: the nearest name, or none when nothing is near") {
  const std::vector<std::string> names = {"relu1_1", "relu4_2", "pool4"};
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(nearest("relu42", names) == "relu4_2");
  CHECK(nearest("conv4_2_extra", names).empty());
  CHECK(nearest("x", names).empty());
  CHECK(did_you_mean("poool4", names) == "; did you mean 'pool4'?");
  CHECK(did_you_mean("something", names).empty());
}

TEST_CASE("config: an empty file gives the documented defaults") {
  const TrainConfig config = parse("");
  CHECK(config.task == Task::Style);
  CHECK(config.model.network.width == 32);
  CHECK(config.model.network.norm_eps == 1e-5);
  CHECK(config.data.batch_size == 4);
  CHECK(config.loss.style.layers.size() == 5);
  CHECK(config.loss.style.weight == 1e2);
  CHECK(config.loss.content().weight == 7.5);
  CHECK(config.loss.depth().net == "resnet_upproj");
  CHECK(config.loss.tv().weight == 2e2);
  CHECK(config.optimizer.lr == 1e-3);
  CHECK(config.train.iterations == 20000);
  CHECK(config.train.minutes == 0);
  CHECK(config.train.keep_checkpoints == 3);
  CHECK(config.train.out == "/project/runs/starry_night");
}

TEST_CASE("config: one style or several, each with a name") {
  const TrainConfig none = parse("");
  REQUIRE(none.styles.size() == 1);
  CHECK(style_name(none.styles[0]) == "starry_night");
  const TrainConfig one = parse("[style]\nimage = \"../styles/wave (1831).jpg\"\nsize = 300\n");
  REQUIRE(one.styles.size() == 1);
  CHECK(one.styles[0].size == 300);
  CHECK(style_name(one.styles[0]) == "wave _1831_");

  const std::string text =
      "seed = 3\n[[style]]\nimage = \"wave.jpg\"\n[[style]]\nname = \"night\"\nimage = "
      "\"/s/starry.jpg\"\nsize = 256\n"
      "weight = 2.5\n[[style]]\nname = \"default\"\n";
  const TrainConfig three = parse(text);
  REQUIRE(three.styles.size() == 3);
  CHECK(three.seed == 3);
  CHECK(three.styles[0].image == "/project/wave.jpg");
  CHECK(three.styles[0].weight == 1);
  CHECK(style_name(three.styles[1]) == "night");
  CHECK(three.styles[1].image == "/s/starry.jpg");
  CHECK(three.styles[1].size == 256);
  CHECK(three.styles[1].weight == 2.5);
  CHECK(three.styles[2].image == "/project/starry_night.jpg");
  CHECK(parse(to_toml(three)) == three);
  CHECK(parse("[[style]]\nimage = \"a.jpg\"\n", {"style.size=7"}).styles[0].size == 7);
}

TEST_CASE("config: what is wrong with styles is said") {
  CHECK(refusal("style = []\n") == "config.toml:1: style = [] holds nothing");
  CHECK(contains(refusal("style = [1]\n"), "expected tables: [[style]]"));
  CHECK(contains(refusal("[[style]]\nimage = \"a.jpg\"\n[[style]]\nimag = \"b.jpg\"\n"),
                 "config.toml:4: unknown key 'style.imag'; did you mean 'style.image'?"));
  CHECK(refusal("[[style]]\nimage = \"x/a.jpg\"\n[[style]]\nimage = \"y/a.jpg\"\n") ==
        "config.toml: two styles are called 'a'; give them names: style.name");
  for (const std::string name : {"all", "a,b", "a=b", "a/b", "<b>"})
    CHECK(contains(refusal("[style]\nname = \"" + name + "\"\n"),
                   "style.name = \"" + name + "\" is not allowed"));
  CHECK(contains(refusal("[[style]]\nweight = 0\n"),
                 "style.weight = 0 is not allowed, expected a number greater than 0"));
  CHECK(error_of([&] { parse("[[style]]\n[[style]]\nimage = \"b.jpg\"\n", {"style.size=7"}); }) ==
        "override 'style.size=7': there are 2 styles; which one is meant can be said in the file only");
}

TEST_CASE("config: the defaults of a depth training") {
  const TrainConfig config = parse("");
  CHECK(config.depth.train_list == "train.txt");
  CHECK(config.depth.validation_list == "val.txt");
  CHECK(config.depth.meters_per_unit == 0.001);
  CHECK(config.depth.encoder == Encoder::Resnet50);
  CHECK(config.depth.encoder_weights.empty());
  CHECK(config.depth.width == 64);
  CHECK(config.depth.input_height == 228);
  CHECK(config.depth.input_width == 304);
  CHECK(config.depth.validate_every == 500);
  CHECK(config.depth.augment);
  CHECK(config.depth.max_scale == 1.5);
  CHECK(config.depth.max_rotation == 5);
  CHECK(config.depth.channel_gain == 0.2);
  CHECK(config.depth.overall_gain == 0);
  CHECK(config.optimizer.method == OptimizerMethod::Adam);
  CHECK(config.optimizer.momentum == 0.9);
  CHECK(config.optimizer.decay_every == 0);
  CHECK(config.optimizer.decay == 0.1);
  CHECK(config.optimizer.weight_decay == 0);
}

TEST_CASE("config: a depth training is read, checked and written") {
  const std::string text =
      "task = \"depth\"\n[depth]\ntrain_list = \"lists/a.txt\"\nvalidation_list = \"\"\n"
      "meters_per_unit = 0.039198\nencoder = \"resnet50-c4\"\nencoder_weights = \"r50.h5\"\nencoder_lr = "
      "0.5\nwidth = 32\n"
      "decoder_width = 48\nup_projections = 3\ninput_height = 96\ninput_width = 128\nvalidate_every = "
      "7\naugment = false\nmax_scale = 2\nmax_rotation = 10\nchannel_gain = 0.25\noverall_gain = 0.5\n"
      "[optimizer]\nmethod = \"sgd\"\nmomentum = 0.5\ndecay_every = 100\ndecay = 1\nweight_decay = 0.25\n";
  const TrainConfig config = parse(text);
  CHECK(config.depth == DepthConfig{"lists/a.txt", "", 0.039198, Encoder::Resnet50C4, "/project/r50.h5", 0.5,
                                    32, 48, 3, 96, 128, 7, false, 2, 10, 0.25,
                                    0.5});  // lists are looked for in the data's folder
  CHECK(config.optimizer.method == OptimizerMethod::Sgd);
  CHECK(config.optimizer.momentum == 0.5);
  CHECK(config.optimizer.decay_every == 100);
  CHECK(config.optimizer.decay == 1);
  CHECK(config.optimizer.weight_decay == 0.25);
  CHECK(parse_config(to_toml(config), "again", "/elsewhere") == config);
  CHECK(contains(to_toml(config), "[depth]\ntrain_list = 'lists/a.txt'"));
  CHECK(parse("", {"depth.validation_list="}).depth.validation_list.empty());
  CHECK(parse("", {"depth.train_list=12"}).depth.train_list == "12");
  CHECK(parse("").weights.resnet_upproj == "compact");  // by default too a word, not a path

  CHECK(refusal("depth.train_list = 3") ==
        "config.toml:1: depth.train_list = 3 is not allowed, expected text");
  CHECK(refusal("depth.encoder = \"vgg\"") ==
        "config.toml:1: depth.encoder = 'vgg' is not allowed, expected \"resnet50\" or \"resnet50-c4\"");
  CHECK(refusal("depth.input_height = 31") ==
        "config.toml:1: depth.input_height = 31 is not allowed, expected a whole number from 32 to 4096");
  CHECK(contains(refusal("depth.meters_per_unit = 0"), "expected a number greater than 0"));
  CHECK(contains(refusal("depth.width = 0"), "expected a whole number from 1 to 512"));
  CHECK(contains(refusal("depth.up_projections = 5"), "expected a whole number from 1 to 4"));
  CHECK(contains(refusal("depth.validate_every = -1"), "expected a whole number of at least 0"));
  CHECK(contains(refusal("depth.augment = 1"), "expected true or false"));
  CHECK(contains(refusal("depth.encoder_weights = 1"), "expected a path"));
  CHECK(refusal("optimizer.method = \"adamw\"") ==
        "config.toml:1: optimizer.method = 'adamw' is not allowed, expected \"adam\" or \"sgd\"");
  CHECK(refusal("optimizer.weight_decay = -1") ==
        "config.toml:1: optimizer.weight_decay = -1 is not allowed, expected a number of at least 0");
  CHECK(contains(refusal("depth.max_scale = 0"), "expected a number greater than 0"));
  CHECK(contains(refusal("optimizer.momentum = 1"), "expected a number from 0 to below 1"));
  for (const char* decay : {"0", "1.5"})
    CHECK(contains(refusal(std::string("optimizer.decay = ") + decay), "a number above 0, at most 1"));
  CHECK(contains(refusal("optimizer.decay_every = 0.5"), "expected a whole number of at least 0"));
  CHECK(refusal("depth.validation = 1") ==
        "config.toml:1: unknown key 'depth.validation'; did you mean 'depth.validation_list'?");
}

TEST_CASE("config: values are read from sections, dotted keys and inline tables alike") {
  const char* texts[] = {"[model]\nwidth = 8\n[loss.tv]\nweight = 3\n",
                         "model.width = 8\nloss.tv.weight = 3.0\n",
                         "model = {width = 8}\nloss = {tv = {weight = 3}}\n"};
  for (const char* text : texts) {
    CHECK(parse(text).model.network.width == 8);
    CHECK(parse(text).loss.tv().weight == 3.0);
  }
}

TEST_CASE("config: the defaults of a distillation, and what is read of one") {
  const TrainConfig config = parse("task = \"distill\"");
  CHECK(config.distill.ranks == std::vector<double>{24, 40, 64, 96, 96});
  CHECK(config.distill.layers.size() == 9);
  CHECK(config.distill.feature_weight == 1);
  CHECK(config.distill.gram_weight == 1);
  CHECK(config.distill.recolor == 1);
  CHECK(config.distill.validation.empty());
  CHECK(config.distill.validate_every == 500);
  CHECK(parse_config(to_toml(config), "again", "/elsewhere") == config);

  const TrainConfig other = parse(
      "task = \"distill\"\n[weights]\nvgg19 = \"compact\"\nvgg16 = \"./compact\"\n[distill]\n"
      "layers = [\"pool2\"]\nvalidation = \"held\"\ngram_weight = 0\n");
  CHECK(other.weights.vgg19 == "compact");
  CHECK(other.weights.vgg16.ends_with("/compact"));
  CHECK(other.weights.vgg16.starts_with("/"));
  CHECK(other.distill.layers == std::vector<std::string>{"pool2"});
  REQUIRE(other.distill.validation.size() == 1);
  CHECK(other.distill.validation[0].ends_with("/held"));
  CHECK(other.distill.validation[0].starts_with("/"));
  CHECK(parse_config(to_toml(other), "again", "/elsewhere") == other);
  CHECK(refusal("[distill]\nlayers = []\n") == "config.toml: distill.layers is empty; name a layer");
  CHECK(refusal("[distill]\nlayers = [\"pool1\", \"pool1\"]\n") ==
        "config.toml: distill.layers names 'pool1' twice");
  CHECK(contains(refusal("[weights]\nvgg19 = 3\n"),
                 "expected a path or \"compact\" or \"download\" or \"random\""));
  CHECK(contains(refusal("[data]\ntrain = []\n"), "expected a list of paths"));
}

TEST_CASE("config: to_toml gives a text that loads as the same configuration") {
  TrainConfig config = parse(
      "task = \"depth\"\nseed = 9223372036854775807\n[model]\ninit = \"it's \\\"odd\\\" \\\\ caf\u00e9.h5\"\n"
      "[data]\ntrain = [\"a\", \"b c\"]\nshuffle = false\n[weights]\nvgg19 = \"random\"\n"
      "[loss.content]\nlayers = [\"relu3_1\", \"relu4_2\"]\nlayer_weights = [0.1, 1e-30]\nweight = 0.1\n"
      "[optimizer]\nlr = 0.30000000000000004\n");
  config.optimizer.eps = 5e-324;
  const std::string text = to_toml(config);
  CHECK(parse_config(text, "again", "/elsewhere") == config);
  CHECK(to_toml(parse_config(text, "again", "/elsewhere")) == text);
  CHECK(contains(text, "[loss.content]\nnet = 'vgg19'"));
  CHECK(contains(text, "lr = 0.30000000000000004"));
}

TEST_CASE("config: unknown keys are refused with file, line and the nearest key") {
  CHECK(refusal("\n[train]\niteration = 3\n") ==
        "config.toml:3: unknown key 'train.iteration'; did you mean 'train.iterations'?");
  CHECK(refusal("lr = 1") == "config.toml:1: unknown key 'lr'; did you mean 'optimizer.lr'?");
  CHECK(refusal("[modle]\nwidth = 3\n") ==
        "config.toml:2: unknown key 'modle.width'; did you mean 'model.width'?");
  CHECK(refusal("entirely_other_thing = 3") == "config.toml:1: unknown key 'entirely_other_thing'");
  CHECK(refusal("[weather]\n") == "config.toml:1: unknown key 'weather'");
  CHECK(refusal("model = 3") == "config.toml:1: 'model' is a section, not a key: write [model]");
}

TEST_CASE("config: wrong types and ranges say what is allowed") {
  CHECK(refusal("[train]\niterations = 0\n") ==
        "config.toml:2: train.iterations = 0 is not allowed, expected a whole number of at least 1");
  CHECK(refusal("model.width = 32.5") ==
        "config.toml:1: model.width = 32.5 is not allowed, expected a whole number from 1 to 512");
  CHECK(refusal("data.crop = \"middle\"") ==
        "config.toml:1: data.crop = 'middle' is not allowed, expected \"random\" or \"center\" or \"none\"");
  CHECK(refusal("data.shuffle = 1") ==
        "config.toml:1: data.shuffle = 1 is not allowed, expected true or false");
  CHECK(refusal("optimizer.lr = 0") ==
        "config.toml:1: optimizer.lr = 0 is not allowed, expected a number greater than 0");
  CHECK(refusal("optimizer.beta1 = 1.0") ==
        "config.toml:1: optimizer.beta1 = 1.0 is not allowed, expected a number from 0 to below 1");
  CHECK(refusal("loss.tv.weight = nan") ==
        "config.toml:1: loss.tv.weight = nan is not allowed, expected a number of at least 0");
  CHECK(refusal("style.image = 7") == "config.toml:1: style.image = 7 is not allowed, expected a path");
  CHECK(contains(refusal("loss.style.layers = [1]"), "expected a list of names"));
  CHECK(contains(refusal("loss.style.layer_weights = [1, -1]"), "expected a list of numbers of at least 0"));
  CHECK(contains(refusal("data.train = []"), "expected a list of paths"));
  CHECK(contains(refusal("a = \n"), "config.toml:1: is not TOML: "));
}

TEST_CASE("config: layers and their weights must agree") {
  CHECK(refusal("loss.content.layer_weights = [1, 2]") ==
        "config.toml: loss.content.layer_weights has 2 values, expected 1, one per layer, or none");
  CHECK(refusal("loss.depth.layers = []") ==
        "config.toml: loss.depth.layers is empty; name a layer or set loss.depth.weight = 0");
  CHECK(refusal("[loss.depth]\nlayers = []\nweight = 0").empty());
}

TEST_CASE("config: overrides win, take bare strings and say where they are wrong") {
  const TrainConfig config = parse(
      "train.iterations = 5", {"train.iterations=100", "task=depth", "optimizer.lr = 3e-4",
                               "data.shuffle=false", "loss.content.layers=[\"relu3_1\", \"relu4_1\"]",
                               "loss.depth.layers=prediction", "style.image='1984'", "style.image=1984"});
  CHECK(config.train.iterations == 100);
  CHECK(config.task == Task::Depth);
  CHECK(config.optimizer.lr == 3e-4);
  CHECK_FALSE(config.data.shuffle);
  CHECK(config.loss.content().layers == std::vector<std::string>{"relu3_1", "relu4_1"});
  CHECK(config.loss.depth().layers == std::vector<std::string>{"prediction"});
  CHECK(config.styles[0].image == (std::filesystem::current_path() / "1984").string());
  CHECK(override_refusal("train.iteration=1") ==
        "override 'train.iteration=1': unknown key 'train.iteration'; did you mean 'train.iterations'?");
  CHECK(override_refusal("train.iterations=many") ==
        "override 'train.iterations=many': train.iterations = 'many' is not allowed, expected a whole number "
        "of at least 1");
  CHECK(override_refusal("train.iterations") == "override 'train.iterations': expected KEY=VALUE");
  CHECK(contains(override_refusal("loss.style.layers=[relu1_1]"), "is not TOML"));
  CHECK(contains(override_refusal("train.iterations=1\ntask='depth'"), "is not allowed"));
}

TEST_CASE("config: relative paths start from the file's folder, those of overrides from the current one") {
  const TemporaryFolder folder;
  write_text(folder / "config.toml",
             "[style]\nimage = \"../styles/wave.jpg\"\n[weights]\nvgg19 = \"/abs/vgg.h5\"\n");
  const std::vector<std::string> overrides = {"train.out=runs/x", "weights.resnet_upproj=random"};
  const TrainConfig config = load_config(folder / "config.toml", overrides);
  CHECK(config.styles[0].image == (folder.path().parent_path() / "styles/wave.jpg").string());
  CHECK(config.weights.vgg19 == "/abs/vgg.h5");
  CHECK(config.weights.vgg16 == (folder / "vgg16.h5").string());
  CHECK(config.weights.resnet_upproj == "random");
  CHECK(config.data.train == std::vector<std::string>{(folder / "photos").string()});
  CHECK(config.train.out == (std::filesystem::current_path() / "runs/x").string());
  CHECK(config.model.init.empty());
  CHECK(contains(error_of([&] { load_config(folder / "absent.toml"); }),
                 "absent.toml: cannot be read: No such file"));
}

TEST_CASE("config: losses on features are a list, of any length") {
  const std::string text =
      "[loss.content]\nlayers = [\"relu3_3\"]\n"
      "[[loss.feature]]\nname = \"fine\"\nlayers = [\"relu1_2\"]\nweight = 3\n"
      "[[loss.feature]]\nname = \"coarse\"\nnet = \"resnet_upproj\"\nlayers = [\"res4f\"]\nshare = 0.5\n";
  TrainConfig config = parse(text);
  REQUIRE(config.loss.features.size() == 4);
  CHECK(config.loss.content().layers == std::vector<std::string>{"relu3_3"});
  CHECK(config.loss.features[2] == FeatureLossConfig{"fine", "vgg19", {"relu1_2"}, {}, 3, 0});
  CHECK(config.loss.features[3].net == "resnet_upproj");
  std::vector<std::string> names;
  for (const auto& term : config.loss.terms()) names.push_back(term.name);
  CHECK(names == std::vector<std::string>{"style", "content", "depth", "fine", "coarse", "tv", "range"});
  CHECK(parse_config(to_toml(config), "again", "/elsewhere") == config);

  for (const std::string name : {"", "all", "a/b"})
    CHECK(refusal("[[loss.feature]]\nname = \"" + name + "\"\nlayers = [\"relu1_2\"]") ==
          "config.toml: loss.feature.name = \"" + name +
              "\" is not allowed, expected letters, digits, spaces, '_', '-' and '.', at most 100, and not "
              "\"all\"");
  CHECK(refusal("[[loss.feature]]\nname = \"depth\"\n") ==
        "config.toml: two losses are called 'depth'; give them names: loss.feature.name");
  CHECK(contains(refusal("[[loss.feature]]\nname = \"a\"\nnet = \"vgg11\"\n"),
                 "expected \"vgg19\" or \"vgg16\""));
  CHECK(contains(refusal("[[loss.feature]]\nname = \"a\"\nlayer = 1\n"),
                 "did you mean 'loss.feature.layers'?"));
  CHECK(refusal("[[loss.feature]]\nname = \"a\"\nweight = 1\n") ==
        "config.toml: loss.a.layers is empty; name a layer or set loss.a.weight = 0");
  CHECK(contains(refusal("loss.feature = []"), "loss.feature = [] holds nothing"));
}

TEST_CASE("config: apps/README.md lists every key as it is") {
  const std::string readme = read_text("../apps/README.md");
  CHECK_MESSAGE(contains(readme, key_table()), "train_engine --keys prints the table for apps/README.md");
}

}  // namespace
}  // namespace chiaro
