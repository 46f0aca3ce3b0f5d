// The program train_engine from the outside: what a run leaves behind, and that it can be repeated.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <filesystem>

#include "apps/training/config.hpp"
#include "layers/networks/transform_net/transform_model.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/tiny_training.hpp"

using namespace chiaro;
using test::contains;
using test::names_in;
using test::read_metrics;
using test::TinyTraining;
using test::Words;

TEST_CASE("train_engine: a run leaves configuration, metrics, previews, checkpoints, model and report") {
  const TinyTraining tiny;
  const auto result = tiny.train();
  CHECK(result.status == 0);
  CHECK(result.out == "trained 12 iterations\n  model   " + tiny.run() + "/model.h5\n  report  " +
                          tiny.run() + "/report.html\n");
  CHECK(names_in(tiny.run()) == Words{"checkpoints", "config.toml", "data.txt", "metrics.jsonl", "model.h5",
                                      "previews", "report.html"});
  CHECK(names_in(tiny.run() + "/checkpoints") == Words{"000008.h5", "000012.h5"});
  CHECK(names_in(tiny.run() + "/previews") == Words{"000005.png", "000010.png", "000012.png"});

  {  // config.toml is the configuration as used
    TrainConfig expected = load_config(tiny.config());
    CHECK(load_config(tiny.run() + "/config.toml") == expected);
  }
  {  // metrics.jsonl has every iteration; gradient norms at the first one and at their interval
    const auto lines = read_metrics(tiny.run());
    REQUIRE(lines.size() == 12);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const auto& line = lines[i];
      const bool with_norms = i + 1 == 1 || (i + 1) % 5 == 0;
      CHECK(line["iteration"] == i + 1);
      CHECK(line["images_per_s"].get<double>() > 0);
      CHECK(line.contains("gradient_norms") == with_norms);
      CHECK(line.contains("parameter_gradient_norm") == with_norms);
      double total = 0;
      for (const auto& [term, weight] : {std::pair{"style", 100.0}, {"content", 7.5}, {"tv", 200.0}}) {
        const double raw = line["raw"][term], weighted = line["weighted"][term];
        CHECK(raw > 0);
        CHECK(weighted == doctest::Approx(weight * raw).epsilon(1e-12));
        total += weighted;
        if (with_norms) CHECK(line["gradient_norms"][term].get<double>() > 0);
      }
      CHECK(line["raw"].size() == 4);  // no depth term: Johnson's method, and the range
      total += line["weighted"]["range"].get<double>();
      CHECK(line["total"].get<double>() == doctest::Approx(total).epsilon(1e-12));
    }
  }
  {  // the progress line says how far, how fast, how long still, and every weighted term
    const auto last = read_metrics(tiny.run()).back();
    CHECK(contains(result.err, "\n12/12  "));
    CHECK(contains(result.err, " images/s  0s left  style "));
    for (const char* term : {"style", "content", "tv"})
      CHECK(contains(result.err, fmt::format(" {} {:.4g} ", term, last["weighted"][term].get<double>())));
    CHECK(contains(result.err, fmt::format(" total {:.4g}\n", last["total"].get<double>())));
  }
  {  // model.h5 is a transform network that says how it was made
    const WeightsFile file = read_weights(tiny.run() + "/model.h5");
    CHECK(make_transform_model(file, "model.h5").config.width == 4);
    const auto provenance = nlohmann::json::parse(file.provenance);
    CHECK(provenance["iterations"] == 12);
    // The configuration travels with the model, but no folder of this machine does.
    const auto config = provenance.at("config").get<std::string>();
    CHECK(contains(config, "image = 'style.png'"));
    CHECK_FALSE(contains(config, std::filesystem::temp_directory_path().string()));
  }
  {  // the last checkpoint stylizes as the model does, an earlier one otherwise
    const auto picture = [&](const std::string& model) {
      const std::string out = tiny / "styled.png";
      const auto styled =
          test::run_program(test::program_path("stylize_engine"),
                            {tiny / "style.png", "--model", tiny.run() + "/" + model, "-o=" + out});
      CHECK(styled.status == 0);
      CHECK(styled.err == "");
      return decode_image(out).pixels;
    };
    const auto expected = picture("model.h5");
    CHECK(picture("checkpoints/000012.h5") == expected);
    CHECK(picture("checkpoints/000008.h5") != expected);
  }
  {  // a preview shows four photos above their results
    const Image preview = decode_image(tiny.run() + "/previews/000012.png");
    CHECK(preview.width == 4 * 32 + 3 * 4);
    CHECK(preview.height == 2 * 32 + 4);
  }
  {  // report.html shows curves, previews and the configuration
    const std::string html = read_text(tiny.run() + "/report.html");
    for (const char* part : {"<svg", ">style ", ">content ", ">tv ", "previews/000012.png",
                             "previews/000005.png", "residual_blocks = 1"})
      CHECK_MESSAGE(contains(html, part), part);
  }
}

TEST_CASE("train_engine: rotation, intervals of 0 and fewer lines of metrics") {
  const TinyTraining tiny;
  CHECK(tiny.train({"train.iterations=5", "train.checkpoint_every=1", "train.keep_checkpoints=3",
                    "train.preview_every=0", "train.gradient_norms_every=0", "train.log_every=2"})
            .status == 0);
  CHECK(names_in(tiny.run() + "/checkpoints") == Words{"000003.h5", "000004.h5", "000005.h5"});
  CHECK(names_in(tiny.run() + "/previews").empty());
  const auto lines = read_metrics(tiny.run());
  REQUIRE(lines.size() == 2);
  CHECK(lines[1]["iteration"] == 4);
  CHECK(!lines[1].contains("gradient_norms"));
}

TEST_CASE("train_engine: training lowers the loss") {
  const TinyTraining tiny;
  CHECK(tiny.train({"train.iterations=60", "train.preview_every=0", "data.crop=center"}).status == 0);
  const auto lines = read_metrics(tiny.run());
  CHECK(lines.back()["total"].get<double>() < 0.8 * lines.front()["total"].get<double>());
}

TEST_CASE("train_engine: a loss on other features is a term like any other") {
  const TinyTraining tiny;
  tiny.write_config(
      "[style]\nimage = \"style.png\"\n[[loss.feature]]\nname = \"edges\"\nlayers = [\"relu1_2\"]\nweight = 3");
  CHECK(tiny.train({"train.iterations=2", "train.gradient_norms_every=1"}).status == 0);
  for (const auto& line : read_metrics(tiny.run())) {
    CHECK(line["raw"]["edges"].get<double>() > 0);
    CHECK(line["weighted"]["edges"].get<double>() ==
          doctest::Approx(3 * line["raw"]["edges"].get<double>()).epsilon(1e-5));
    CHECK(line["gradient_norms"]["edges"].get<double>() > 0);
  }
}

TEST_CASE("train_engine: the same seed gives the same bits, another does not") {
  const TinyTraining tiny;
  tiny.add_depth_network();
  const auto train = [&](const Words& more) {
    std::filesystem::remove_all(tiny.run());
    Words words = tiny.fresh({"loss.depth.weight=1", "train.iterations=6"});
    words.insert(words.end(), more.begin(), more.end());
    REQUIRE(test::run_program(TinyTraining::program(), words).status == 0);
  };
  train({});
  const auto metrics = test::repeatable_metrics(tiny.run());
  const std::string model = read_text(tiny.run() + "/model.h5");
  CHECK(metrics.back()["raw"]["depth"].get<double>() > 0);
  CHECK(metrics.back()["raw"].size() == 5);

  train({});
  CHECK(test::repeatable_metrics(tiny.run()) == metrics);
  CHECK(read_text(tiny.run() + "/model.h5") == model);

  train({"--no-reuse"});
  CHECK(test::repeatable_metrics(tiny.run()) == metrics);
  CHECK(read_text(tiny.run() + "/model.h5") == model);

  train({"--set", "data.workers=3", "--set", "data.cache_mb=0"});
  CHECK(test::repeatable_metrics(tiny.run()) == metrics);

  train({"--set", "seed=2"});
  CHECK(test::repeatable_metrics(tiny.run()) != metrics);
}

TEST_CASE("train_engine: model.init gives the losses of the model that it names") {
  const TinyTraining tiny;
  for (int i = 2; i < 8; ++i) std::filesystem::remove(tiny.path() + "/photos/" + std::to_string(i) + ".png");
  const Words fixed{"data.shuffle=false", "data.crop=center", "train.preview_every=0"};
  const auto with = [&](Words more) {
    more.insert(more.begin(), fixed.begin(), fixed.end());
    return more;
  };
  REQUIRE(tiny.train(with({"train.iterations=5"})).status == 0);
  const std::string model = tiny.path() + "/model.h5";
  std::filesystem::copy_file(tiny.run() + "/model.h5", model);
  REQUIRE(tiny.resume({"train.iterations=6"}).status == 0);
  const auto sixth = read_metrics(tiny.run()).at(5);
  std::filesystem::remove_all(tiny.run());

  REQUIRE(tiny.train(with({"train.iterations=1", "model.init=" + model})).status == 0);
  CHECK(read_metrics(tiny.run())[0]["raw"] == sixth["raw"]);

  const auto refused =
      tiny.train({"train.out=" + tiny.path() + "/other", "model.width=5", "model.init=" + model});
  CHECK(refused.status == 1);
  CHECK(contains(refused.err, "train_engine: " + model + ": holds a transform network {\"width\":4"));
  CHECK(contains(refused.err, "but the configuration's [model] is {\"width\":5"));
}

TEST_CASE("train_engine: a photo that cannot be read is named at the end and does not stop the run") {
  const TinyTraining tiny;
  const std::string bad = tiny.write("photos/3.png", "no picture");
  const auto result = tiny.train();
  CHECK(result.status == 0);
  CHECK(contains(result.err, "\n1 photo could not be used and was replaced by others:\n  " + bad +
                                 ": not a JPEG, PNG, WebP or BMP picture"));
  CHECK(read_metrics(tiny.run()).size() == 12);
}

TEST_CASE("train_engine: three styles in one network, each logged, previewed, and applied by its name") {
  TinyTraining tiny;
  tiny.take_three_styles();
  const auto result =
      tiny.train({"optimizer.average=0.5", "optimizer.schedule=cosine", "optimizer.warmup=3"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  // Two pictures a step: steps have the styles 0 1, 2 0, 1 2, 0 1, ...
  const std::array<Words, 3> styles{Words{"first", "second"}, Words{"again", "first"},
                                    Words{"again", "second"}};
  const auto lines = read_metrics(tiny.run());
  REQUIRE(lines.size() == 12);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Words found;
    double sum = 0;
    for (const auto& [name, loss] : lines[i]["style_losses"].items()) {
      found.push_back(name);
      sum += loss.get<double>() / 2;
    }
    std::sort(found.begin(), found.end());
    CHECK(found == styles[i % 3]);
    CHECK(sum == doctest::Approx(lines[i]["raw"]["style"].get<double>()).epsilon(1e-6));
  }
  const Image preview = decode_image(tiny.run() + "/previews/000012.png");
  CHECK(preview.height == 4 * 32 + 3 * 4);
  const std::string html = read_text(tiny.run() + "/report.html");
  CHECK(contains(html, "Style loss of each style"));
  for (const std::string style : {"first", "second", "again"}) CHECK(contains(html, ">" + style + " "));

  const WeightsFile file = read_weights(tiny.run() + "/model.h5");
  CHECK(transform_net_from_json(file.architecture, "model.h5").styles == Words{"first", "second", "again"});
  CHECK(load_config(tiny.run() + "/config.toml").styles[1].weight == 3);
  CHECK(contains(nlohmann::json::parse(file.provenance)["config"].get<std::string>(), "image = 'other.png'"));
}

TEST_CASE("train_engine: a run begins with another one's network, whatever its styles and its output range") {
  TinyTraining tiny;
  REQUIRE(tiny.train().status == 0);
  const std::string start = tiny.run() + "/model.h5";
  tiny.take_three_styles();
  for (const std::string output : {"scaled150", "linear"}) {
    const auto result = tiny.train({"model.init=" + start, "model.output=" + output, "train.iterations=1",
                                    "optimizer.lr=1e-30", "train.out=" + (tiny / output)});
    REQUIRE_MESSAGE(result.status == 0, result.err);
    const auto before = choose_style(read_weights(start), {}, "start");
    for (const std::string style : {"first", "again"}) {
      const auto after = choose_style(read_weights(tiny / (output + "/model.h5")), {{style, 1}}, "end");
      for (std::size_t t = 0; t < before.parameters.size(); ++t)
        for (std::size_t i = 0; i < before.parameters[t].values.size(); ++i)
          CHECK(after.parameters[t].values[i] ==
                doctest::Approx(before.parameters[t].values[i]).epsilon(1e-5));
    }
  }
  const auto wider = tiny.train({"model.init=" + start, "model.width=8", "train.out=" + (tiny / "wider")});
  CHECK(wider.status == 1);
  CHECK(contains(wider.err, "model.h5: holds a transform network"));
}

TEST_CASE("train_engine: optimizer.norms_first leaves the filters as they are for so long") {
  const TinyTraining tiny;
  const auto parameters_after = [&](const std::string& iterations) {
    std::filesystem::remove_all(tiny.run());
    REQUIRE(tiny.train({"optimizer.norms_first=3", "optimizer.norm_lr=5", "train.iterations=" + iterations})
                .status == 0);
    return read_weights(tiny.run() + "/model.h5").parameters;
  };
  const auto one = parameters_after("1"), three = parameters_after("3"), four = parameters_after("4");
  for (std::size_t t = 0; t < one.size(); ++t) {
    CAPTURE(one[t].name);
    const bool norm = one[t].name.ends_with(".gamma") || one[t].name.ends_with(".beta");
    CHECK((one[t].values == three[t].values) == !norm);
    CHECK(three[t].values != four[t].values);
  }
}

TEST_CASE(
    "train_engine: model.init = random begins with the seed's values, base with what comes with chiaro or "
    "not at all") {
  const TinyTraining tiny;
  REQUIRE(tiny.train({"train.iterations=1"}).status == 0);
  const auto by_default = read_weights(tiny.run() + "/model.h5").parameters;
  std::filesystem::remove_all(tiny.run());
  REQUIRE(tiny.train({"train.iterations=1", "model.init=random"}).status == 0);
  const auto random = read_weights(tiny.run() + "/model.h5").parameters;
  for (std::size_t t = 0; t < random.size(); ++t) CHECK(random[t].values == by_default[t].values);
  std::filesystem::remove_all(tiny.run());
  const auto refused = tiny.train({"train.iterations=1", "model.init=base"});
  CHECK(refused.status == 1);  // of another width, or not there
}
