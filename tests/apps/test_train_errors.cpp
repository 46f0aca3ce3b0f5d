// What train_engine says when something is wrong: one line that names it, and a status other than 0.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "apps/common/program.hpp"
#include "engine/checkpoint.hpp"
#include "engine/io/h5_file.hpp"
#include "kernels/base/build_config.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/tiny_training.hpp"

using namespace chiaro;
using test::contains;
using test::names_in;
using test::TinyTraining;
using test::Words;

namespace fs = std::filesystem;

namespace {

// The one line, without the program's name, of a command that must fail.
std::string refusal(const Words& words) {
  const auto result = test::run_program(TinyTraining::program(), words);
  CHECK(result.status != 0);
  CHECK(result.status != -1);
  CHECK_MESSAGE(std::ranges::count(result.err, '\n') == 1, result.err);
  const std::string name = "train_engine: ";
  CHECK(result.err.starts_with(name));
  return result.err.substr(std::min(name.size(), result.err.size()));
}

}  // namespace

TEST_CASE("train_engine: mistakes on the command line and in the configuration") {
  const TinyTraining tiny;
  const std::string folder = tiny.path();
  CHECK(refusal({}) == "give a CONFIG.toml, or --resume and a run folder; see --help\n");
  CHECK(refusal({folder + "/none.toml"}) ==
        folder + "/none.toml: cannot be read: No such file or directory\n");
  CHECK(contains(refusal({tiny.config(), "--bogus"}), "--bogus"));
  CHECK(contains(refusal({tiny.config(), "--device", "tpu"}), "--device"));
  const DeviceStatus cuda = device_available(Device::Cuda);
  if constexpr (!kHaveCuda) CHECK(cuda.reason == "this build has no CUDA backend");
  if (!cuda.available)
    CHECK(refusal({tiny.config(), "--device", "cuda"}) ==
          "--device cuda: " + cuda.reason + "; use --device cpu\n");
  CHECK(refusal({tiny.config(), "--precision", "tf32"}) ==
        "precision tf32 exists on CUDA devices only; use fp32 or bf16 on the CPU\n");
  CHECK(refusal(tiny.fresh({"train.precision=tf32"})) ==
        "precision tf32 exists on CUDA devices only; use fp32 or bf16 on the CPU\n");
  CHECK(refusal(tiny.fresh({"train.iteration=5"})) ==
        "override 'train.iteration=5': unknown key 'train.iteration'; did you mean 'train.iterations'?\n");
  CHECK(refusal(tiny.fresh({"train.iterations=many"})) ==
        "override 'train.iterations=many': train.iterations = 'many' is not allowed, expected a whole number "
        "of at least 1\n");
  for (const std::string minutes : {"-1", "nan", "inf", "'ten'"})
    CHECK(refusal(tiny.fresh({"train.minutes=" + minutes})) ==
          "override 'train.minutes=" + minutes + "': train.minutes = " + minutes +
              " is not allowed, expected a number of at least 0\n");
  CHECK(refusal(tiny.fresh({"task=shape"})) ==
        "override 'task=shape': task = 'shape' is not allowed, expected \"style\" or \"depth\" or "
        "\"distill\"\n");
  CHECK(refusal(tiny.fresh({"loss.style.weight=0", "loss.content.weight=0", "loss.tv.weight=0"})) ==
        "every loss weight is 0: there is nothing to train for\n");

  const std::string bad = tiny.write("bad.toml", "[train]\niterations = 5\nprecisoin = \"fp32\"\n");
  CHECK(refusal({bad}) == bad + ":3: unknown key 'train.precisoin'; did you mean 'train.precision'?\n");
  tiny.write("bad.toml", "[train]\niterations = \"5\"\n");
  CHECK(refusal({bad}) ==
        bad + ":2: train.iterations = '5' is not allowed, expected a whole number of at least 1\n");
  CHECK(!fs::exists(tiny.run()));
}

TEST_CASE("train_engine: loss networks that are missing or are something else") {
  const TinyTraining tiny;
  const std::string vgg = tiny.vgg();
  SUBCASE("VGG missing") {
    fs::remove(vgg);
    CHECK(refusal(tiny.fresh()) ==
          vgg +
              ": the vgg19 weights are missing; give the path of Keras' "
              "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5, or of PyTorch's or MatConvNet's file, as "
              "weights.vgg19, or \"compact\" for the small network that comes with chiaro, \"download\" to "
              "fetch Keras' file, or \"random\" for random filters\n");
  }
  SUBCASE("another network") {
    CHECK(refusal(tiny.fresh({"loss.style.net=vgg16", "weights.vgg16=" + vgg})) ==
          vgg + ": holds a network of kind 'vgg19', expected 'vgg16'\n");
  }
  SUBCASE("cut off") {
    fs::resize_file(vgg, fs::file_size(vgg) / 2);
    CHECK(contains(refusal(tiny.fresh()), vgg + ": "));
  }
  SUBCASE("a web page") {
    tiny.write("vgg19.h5", "<!DOCTYPE html><html>Not found</html>");
    CHECK(
        refusal(tiny.fresh()) ==
        vgg +
            ": no weights can be read from it: it is a web page (HTML): the download went wrong; expected "
            "chiaro's own file, Keras' HDF5, a PyTorch state dict (.pth), safetensors, a NumPy dictionary (.npy) "
            "or MATLAB's .mat\n");
  }
  SUBCASE("a layer that it does not have") {
    CHECK(refusal(tiny.fresh({"loss.content.layers=relu4_22"})) ==
          "VGG-19 has no layer 'relu4_22'; did you mean 'relu4_2'?\n");
  }
  SUBCASE("a layer that is named twice") {
    CHECK(contains(refusal(tiny.fresh({"loss.style.layers=['relu1_1', 'relu1_1']"})),
                   "loss.style.layers names 'relu1_1' twice\n"));
  }
  SUBCASE("photos too small for a deep layer") {
    CHECK(refusal(tiny.fresh({"data.image_size=16", "loss.content.layers=pool5"})) ==
          "VGG-19: the picture is too small for layer pool5\n");
  }
  CHECK(!fs::exists(tiny.run()));
}

TEST_CASE("train_engine: the depth network is asked for only when there is a depth loss") {
  const TinyTraining tiny;
  CHECK(refusal(tiny.fresh({"loss.depth.weight=1"})) ==
        tiny.depth() +
            ": the depth network's weights are missing; give NYU_ResNet-UpProj.npy or .mat as downloaded, a "
            "network of your own (task = \"depth\" trains one), or \"compact\" for the small one that comes "
            "with chiaro, as weights.resnet_upproj, or train without depth: --set loss.depth.weight=0\n");
  CHECK(refusal(tiny.fresh({"loss.depth.weight=1", "weights.resnet_upproj=random"})) ==
        "weights.resnet_upproj = \"random\": random filters see no depth; set loss.depth.weight = 0\n");
  CHECK(tiny.train({"loss.depth.weight=0", "train.iterations=1"}).status == 0);
  const auto lines = test::read_metrics(tiny.run());
  REQUIRE(lines.size() == 1);
  CHECK(!lines[0]["raw"].contains("depth"));
}

TEST_CASE("train_engine: photos") {
  const TinyTraining tiny;
  const std::string photos = tiny.path() + "/photos";
  SUBCASE("no such folder") {
    fs::remove_all(photos);
    CHECK(refusal(tiny.fresh()) == photos + ": no such folder; check the path of the photos\n");
  }
  SUBCASE("nothing in it") {
    fs::remove_all(photos);
    tiny.write("photos/readme.txt", "none here");
    CHECK(refusal(tiny.fresh()) ==
          photos + ": no photos found; looked for .jpg, .jpeg, .png, .webp and .bmp files in it and below\n");
  }
  SUBCASE("none that can be read") {
    for (const std::string& name : names_in(photos)) tiny.write("photos/" + name, "no picture");
    const auto result = tiny.train({"data.shuffle=false"});
    CHECK(result.status == 1);
    CHECK(contains(result.err, "\ntrain_engine: photos: none of 8 photos in a row can be used; the first: " +
                                   photos + "/0.png: not a JPEG, PNG, WebP or BMP picture"));
    CHECK(tiny.train({"data.shuffle=false"}).status == 1);  // the folder is not taken
  }
}

TEST_CASE("train_engine: the style picture") {
  const TinyTraining tiny;
  const std::string style = tiny.path() + "/style.png";
  SUBCASE("missing") {
    fs::remove(style);
    CHECK(contains(refusal(tiny.fresh()), style + ": "));
  }
  SUBCASE("no picture") {
    tiny.write("style.png", "<html>");
    CHECK(contains(refusal(tiny.fresh()), style + ": not a JPEG, PNG, WebP or BMP picture"));
  }
  SUBCASE("too small") {
    tiny.add_picture("style.png", 31, 64);
    CHECK(refusal(tiny.fresh()) ==
          style + ": the style picture is 64x31 pixels, at least 32x32 are needed\n");
  }
  SUBCASE("made too small") {
    CHECK(refusal(tiny.fresh({"style.size=36"})) ==
          style + ": the style picture is 36x30 pixels, at least 32x32 are needed\n");
  }
  SUBCASE("not needed without a style loss") {
    fs::remove(style);
    CHECK(tiny.train({"loss.style.weight=0", "train.iterations=1"}).status == 0);
  }
}

TEST_CASE("train_engine: a run folder that cannot be made") {
  const TinyTraining tiny;
  const std::string out = tiny.write("file", "") + "/run";
  const auto text = refusal(tiny.fresh({"train.out=" + out}));
  CHECK(contains(text, out + ": the folder cannot be made: Not a directory\n"));
}

TEST_CASE("train_engine: a loss that is not finite stops the run and keeps the last checkpoint") {
  const TinyTraining tiny;
  REQUIRE(tiny.train({"train.preview_every=0"}).status == 0);
  const std::string checkpoint = tiny.run() + "/checkpoints/000012.h5", before = read_text(checkpoint);
  // The first step of the continued run is far too long, the loss after it is not finite any more.
  std::string config = read_text(tiny.run() + "/config.toml");
  const std::string lr = "\nlr = 0.001";
  REQUIRE(contains(config, lr));
  tiny.write("run/config.toml", config.replace(config.find(lr), lr.size(), "\nlr = 1e30"));
  const auto result = tiny.resume({"train.iterations=20"});
  CHECK(result.status == 1);
  CHECK(contains(result.err,
                 "\ntrain_engine: iteration 14: the tv loss is NaN; the run is stopped, the last "
                 "checkpoint is " +
                     checkpoint + ". A lower optimizer.lr or loss.tv.weight may help\n"));
  CHECK(names_in(tiny.run() + "/checkpoints") == Words{"000008.h5", "000012.h5"});
  CHECK(read_text(checkpoint) == before);
  CHECK(test::read_metrics(tiny.run()).size() == 13);
}

TEST_CASE("train_engine: a gradient that is not finite stops the run although the losses hide it") {
  // The ReLUs of a VGG turn NaN into 0: without these losses those of a broken picture are finite.
  const TinyTraining tiny;
  const auto result = tiny.train(
      {"optimizer.lr=1e30", "loss.tv.weight=0", "loss.range.weight=0", "train.checkpoint_every=1"});
  CHECK(result.status == 1);
  CHECK(contains(result.err,
                 "\ntrain_engine: iteration 2: the gradient of the parameters is not finite; the run is "
                 "stopped, the last checkpoint is " +
                     tiny.run() + "/checkpoints/000001.h5. A lower optimizer.lr may help\n"));
  CHECK(test::read_metrics(tiny.run()).size() == 1);
}

TEST_CASE("train_engine: parameters that are not finite are not written") {
  const TinyTraining tiny;
  const Words words{"optimizer.lr=3e38", "train.iterations=3"};
  SUBCASE("neither as a checkpoint") {
    Words more = words;
    more.push_back("train.checkpoint_every=1");
    const auto result = tiny.train(more);
    CHECK(result.status == 1);
    CHECK(contains(result.err, "\ntrain_engine: iteration 1: " + tiny.run() +
                                   "/checkpoints/000001.h5: not written, because values of parameter "
                                   "'conv1.weight' hold a value that is not finite; there is no checkpoint "
                                   "yet\n"));
  }
  SUBCASE("nor as a model") {
    Words more = words;
    more.insert(more.end(), {"train.iterations=1", "train.checkpoint_every=0", "train.preview_every=0"});
    CHECK(tiny.train(more).status == 1);
  }
  SUBCASE("a preview of them does no harm") {
    Words more = words;
    more.insert(more.end(), {"train.checkpoint_every=0", "train.preview_every=1"});
    const auto result = tiny.train(more);
    CHECK(result.status == 1);
    CHECK(contains(result.err,
                   "\ntrain_engine: iteration 2: the tv loss is NaN; the run is stopped, there is "
                   "no checkpoint yet. A lower optimizer.lr or loss.tv.weight may help\n"));
  }
  CHECK(names_in(tiny.run() + "/checkpoints").empty());
  CHECK(!fs::exists(tiny.run() + "/model.h5"));
}
