// File names are bytes: they go out as they came in, and are escaped where people and programs read them.
#include <nlohmann/json.hpp>

#include "kernels/base/say.hpp"
#include "tests/failures/jobs.hpp"
#include "tests/support/compare.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

const std::string kLatin1 = "caf\xe9", kSteering = "a\x1b[31m\x07\nb";

}  // namespace

TEST_CASE("names: escaped reversibly, other text is left alone") {
  CHECK(escaped("plain \\ [2020] Rome \u00e9\u2713\U0001f600") ==
        "plain \\ [2020] Rome \u00e9\u2713\U0001f600");
  CHECK(escaped(kLatin1) == "caf\\xe9");
  CHECK(escaped(kSteering) == "a\\x1b[31m\\x07\\x0ab");
  CHECK(escaped("\xc2\x9b \xed\xa0\x80 \xf5 \xc0\x80") == "\\xc2\\x9b \\xed\\xa0\\x80 \\xf5 \\xc0\\x80");
  CHECK(escaped("\\x41") == "\\x5cx41");
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (const std::string& name :
       {all, std::string("\\x41\\xzz\\"), kLatin1 + "\\xe9", std::string("\\\\x0a")})
    CHECK(unescaped(escaped(name)) == name);
}

TEST_CASE("names: a training in folders with any names") {
  const TinyTraining tiny;
  for (const std::string& name : {kLatin1, kSteering, std::string("[2020] Rome"), std::string("[1, 2]")}) {
    CAPTURE(escaped(name));
    const std::string photos = tiny.path() + "/p" + name, run = tiny.path() + "/" + name;
    fs::create_directories(photos);
    for (int i = 0; i < 4; ++i)
      fs::copy(tiny.path() + fmt::format("/photos/{}.png", i),
               photos + "/" + name.substr(0, 3) + char('0' + i) + ".png");
    const auto result = tiny.train({"data.train=" + photos, "train.out=" + run});
    REQUIRE_MESSAGE(result.status == 0, result.err);
    CHECK(contains(result.out, tiny.path() + "/" + escaped(name) + "/model.h5"));
    CHECK(result.out.find('\x1b') == std::string::npos);
    CHECK(read_text(run + "/report.html").find_first_of("\x1b\x07\xe9") == std::string::npos);
    const auto resumed =
        run_program(TinyRun::program(), {"--resume", run, "--threads", "1", "--set", "train.iterations=13"});
    CHECK_MESSAGE(resumed.status == 0, resumed.err);
  }
}

TEST_CASE("names: a report shows HTML in names as text") {
  const TinyTraining tiny;
  const std::string run = tiny.path() + "/<b onclick='x'>";
  REQUIRE(tiny.train({"train.out=" + run}).status == 0);
  CHECK(!contains(read_text(run + "/report.html"), "<b onclick"));
  CHECK(contains(read_text(run + "/report.html"), "&lt;b onclick=&#39;x&#39;&gt;"));
}

TEST_CASE("names: styled pictures keep their bytes, long names included") {
  const TinyTraining tiny;
  const std::string model = std::string(CHIARO_MODELS) + "/base.h5", program = program_path("stylize_engine");
  const std::string folder = tiny.path() + "/[in]";
  fs::create_directories(folder);
  const Words names{std::string(246, 'n') + ".png", kSteering + ".png", kLatin1 + ".png"};
  for (const std::string& name : names) fs::copy(tiny.path() + "/photos/0.png", folder + "/" + name);
  const auto result =
      run_program("/bin/sh", {"-c", "cd " + quoted(tiny.path()) + "; " + quoted(program) +
                                        " '[in]' -o out --style wave --threads 1 --model " + quoted(model)});
  CHECK_MESSAGE(result.status == 0, result.err);
  CHECK(names_in(tiny.path() + "/out").size() == 3);
  for (const std::string& name : names) CHECK(fs::exists(tiny.path() + "/out/" + name));
  CHECK(contains(result.out, "out/a\\x1b[31m\\x07\\x0ab.png: "));
  CHECK(contains(result.out, "out/caf\\xe9.png: "));
}

TEST_CASE("names: evaluation.json has them, as JSON") {
  const TinyTraining tiny;
  const std::string photo = tiny.path() + "/" + kLatin1 + ".png", styled = tiny.path() + "/styled";
  fs::create_directories(styled);
  fs::copy(tiny.path() + "/photos/0.png", photo);
  fs::copy(tiny.path() + "/photos/0.png", styled + "/" + kLatin1 + ".png");
  const auto result = run_program(program_path("evaluate_engine"),
                                  {photo, "--styled", "a=" + styled, "-o", tiny.path() + "/scores", "--style",
                                   tiny.path() + "/style.png", "--vgg19", tiny.vgg()});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const auto json = nlohmann::json::parse(read_text(tiny.path() + "/scores/evaluation.json"));
  CHECK(unescaped(json["pictures"][0]["photo"].get<std::string>()) == photo);
}

TEST_CASE("stylize_engine -o -: the picture goes to standard output") {
  const TinyTraining tiny;
  const std::string model = std::string(CHIARO_MODELS) + "/base.h5", program = program_path("stylize_engine");
  const std::string photo = tiny.path() + "/photos/0.png", file = tiny.path() + "/styled.png";
  const Words words{photo, "--model", model, "--style", "wave", "--threads", "1", "-o"};
  const auto with = [&](const std::string& output) {
    Words all = words;
    all.push_back(output);
    return run_program(program, all);
  };
  REQUIRE(with(file).status == 0);
  const auto streamed = with("-");
  CHECK(streamed.status == 0);
  CHECK(streamed.out == read_text(file));
  CHECK(!fs::exists("-"));
  const auto full =
      run_program("/bin/sh", {"-c", quoted(program) + " " + quoted(photo) + " --model " + quoted(model) +
                                        " --style wave --threads 1 -o - >/dev/full"});
  CHECK(full.status == 1);
  CHECK(contains(full.err, "standard output: cannot be written: No space left on device"));
}

TEST_CASE("little memory: a line, never a crash") {
  const TinyTraining tiny;
  const std::string model = std::string(CHIARO_MODELS) + "/base.h5";
  const std::string stylize = quoted(program_path("stylize_engine")) + " " +
                              quoted(tiny.path() + "/photos/0.png") + " --model " + quoted(model) +
                              " --style wave --threads 1 -o " + quoted(tiny.path() + "/styled.png");
  const std::string train = quoted(TinyRun::program()) + " " + quoted(tiny.config()) + " --threads 1";
  for (const std::string& line : {stylize, train})
    for (int limit = 80000; limit <= 210000; limit += 10000) {
      CAPTURE(line);
      CAPTURE(limit);
      fs::remove_all(tiny.run());
      const auto result = run_program("/bin/sh", {"-c", "ulimit -v " + std::to_string(limit) + "; " + line});
      CAPTURE(result.err);
      if (result.status == 127) continue;  // the program could not be loaded
      CHECK((result.status == 0 || result.status == 1));
      if (result.status == 1) CHECK(contains(result.err, "memory"));
      CHECK(!contains(result.err, "damaged"));
    }
}
