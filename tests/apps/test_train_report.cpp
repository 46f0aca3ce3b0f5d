// The page of a run: what it shows of metrics that are ordinary, few, damaged or far apart.
#include <doctest/doctest.h>

#include <regex>
#include <string>
#include <vector>

#include "apps/training/run_folder.hpp"
#include "engine/file_util.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/picture_folder.hpp"

using namespace chiaro;
using test::contains;

namespace {

// The report of a run folder with these lines of metrics.
std::string report_of(const std::string& metrics) {
  const test::PictureFolder folder;
  folder.write("run <1>/config.toml", "task = \"style\" # a < b & c\n");
  folder.write("run <1>/metrics.jsonl", metrics);
  const RunFolder run = RunFolder::open(folder.path() + "/run <1>");
  write_report(run);
  return read_text(run.report_file());
}

std::vector<double> label_heights(const std::string& html) {
  static const std::regex label("y='([0-9.]+)' fill='#[0-9a-f]{6}'>");
  std::vector<double> heights;
  for (std::sregex_iterator it(html.begin(), html.end(), label), end; it != end; ++it)
    heights.push_back(std::stod((*it)[1]));
  return heights;
}

}  // namespace

TEST_CASE("report: a run without metrics") {
  const std::string html = report_of("");
  CHECK(contains(html, "<h1>run &lt;1&gt;</h1>"));
  CHECK(contains(html, "No values yet."));
  CHECK(contains(html, "a &lt; b &amp; c"));
  CHECK(!contains(html, "<h2>Previews"));
  CHECK(!contains(html, "Gradient norm"));
}

TEST_CASE("report: lines of metrics that cannot be read are left out") {
  const std::string html = report_of(
      "nonsense\n[1]\n{\"iteration\":1,\"weighted\":{\"style\":4.0,\"tv\":null},\"total\":4.0,"
      "\"images_per_s\":2.0}\n{\"iteration\":2,\"weigh");
  CHECK(contains(html, "After iteration 1: total loss 4, 2 images per second."));
  CHECK(contains(html, ">style 4</text>"));
  CHECK(!contains(html, ">tv "));
}

TEST_CASE("report: names of curves that end at the same height stand apart and inside") {
  const std::string html =
      report_of("{\"iteration\":1,\"weighted\":{\"a\":100.0,\"b\":1.0,\"c\":1.0,\"d\":1.001,\"e\":0}}\n");
  const auto names = label_heights(html);
  REQUIRE(names.size() == 4);  // a value of 0 has no place on a logarithmic axis
  for (std::size_t i = 1; i < names.size(); ++i) CHECK(names[i] - names[i - 1] >= 14.9);
  CHECK(names.back() <= 293);
}

TEST_CASE("report: a long run is thinned, marks on the axes are round and few") {
  std::string lines;
  for (int i = 1; i <= 5000; ++i)
    lines += fmt::format("{{\"iteration\":{},\"weighted\":{{\"style\":{}}}}}\n", i, i % 2 ? 1e-9 : 1e9);
  const std::string html = report_of(lines);
  CHECK(html.size() < 20000);
  CHECK(contains(html, ">1000</text>"));
  CHECK(contains(html, ">5000</text>"));
  CHECK(contains(html, ">1e9</text>"));
  CHECK(!contains(html, ">1e8</text>"));
}

TEST_CASE("report: the axis is as long as the curve needs it") {
  const auto marks = [](double low, double high) {
    const std::string html = report_of(fmt::format(
        "{{\"iteration\":1,\"weighted\":{{\"a\":{}}}}}\n{{\"iteration\":2,\"weighted\":{{\"a\":{}}}}}\n",
        high, low));
    static const std::regex mark("text-anchor='end'>([^<]*)<");
    std::vector<std::string> texts;
    for (std::sregex_iterator it(html.begin(), html.end(), mark), end; it != end; ++it)
      texts.push_back((*it)[1]);
    return texts;
  };
  using Texts = std::vector<std::string>;
  CHECK(marks(0.3, 1.1) == Texts{"0.2", "0.5", "1", "2"});
  CHECK(marks(0.5, 0.5) == Texts{"0.5", "1"});
  CHECK(marks(0.02, 0.9) == Texts{"0.02", "0.05", "0.1", "0.2", "0.5", "1"});
  CHECK(marks(3e6, 6e7) == Texts{"2e6", "5e6", "1e7", "2e7", "5e7", "1e8"});
  CHECK(marks(2e-5, 3e3) == Texts{"1e-5", "1e-4", "0.001", "0.01", "0.1", "1", "10", "100", "1000", "10000"});
}
