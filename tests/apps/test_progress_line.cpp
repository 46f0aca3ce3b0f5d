// The line of progress: when it is shown, on a terminal and elsewhere; and what stylizing tells it.
#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <memory>
#include <vector>

#include "apps/common/progress_line.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/networks/transform_net/transform_model.hpp"
#include "tests/support/hash_weights.hpp"

using namespace chiaro;
using Begin = ProgressLine::Begin;

namespace {

// What a line writes while something runs for a second, ten looks at the clock per second.
class Recorded {
 public:
  Recorded(Begin begin, bool terminal) : line_(begin, file_.get(), terminal, [this] { return now_; }) {}

  void run(double seconds) {
    for (const double end = now_ + seconds; now_ < end - 1e-9; now_ += 0.1)
      line_.show(std::to_string(shown_++));
  }
  ProgressLine& line() { return line_; }
  std::string written() {
    std::fflush(file_.get());
    std::rewind(file_.get());
    std::string text;
    for (int c = std::fgetc(file_.get()); c != EOF; c = std::fgetc(file_.get())) text += static_cast<char>(c);
    return text;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_{std::tmpfile()};
  double now_ = 1000;
  int shown_ = 0;
  ProgressLine line_;
};

}  // namespace

TEST_CASE("progress line: on a terminal it is rewritten in place, five times a second at most") {
  Recorded recorded(Begin::AtOnce, true);
  recorded.run(0.5);
  recorded.line().finish();
  CHECK(recorded.written() == "\r0\x1b[K\r2\x1b[K\r4\x1b[K\n");
}

TEST_CASE("progress line: elsewhere a line at once and then every ten seconds, and where it is forced") {
  Recorded recorded(Begin::AtOnce, false);
  recorded.run(25);
  recorded.line().show("end", true);
  recorded.line().finish();
  CHECK(recorded.written() == "0\n100\n200\nend\n");
}

TEST_CASE("progress line: short work says nothing") {
  for (const bool terminal : {true, false}) {
    Recorded recorded(Begin::WhenItTakesLong, terminal);
    recorded.run(1.9);
    recorded.line().clear();
    CHECK(recorded.written() == "");
  }
}

TEST_CASE("progress line: long work does, and leaves no trace on a terminal") {
  Recorded on_terminal(Begin::WhenItTakesLong, true);
  on_terminal.run(2.2);
  on_terminal.line().clear();
  CHECK(on_terminal.written() == "\r20\x1b[K\r\x1b[K");
  Recorded in_log(Begin::WhenItTakesLong, false);
  in_log.run(20.2);
  in_log.line().clear();
  CHECK(in_log.written() == "100\n200\n");
}

TEST_CASE("duration_text: seconds, minutes, hours") {
  CHECK(duration_text(0.4) == "0s");
  CHECK(duration_text(59.4) == "59s");
  CHECK(duration_text(125) == "2m 05s");
  CHECK(duration_text(3 * 3600 + 20 * 60 + 59) == "3h 20m");
}

TEST_CASE("stylizing reports its progress, band by band up to the whole, and stays the same") {
  Context context(1);
  const TransformNet config{.width = 4, .residual_blocks = 2};
  ParamStore store(ParamStore::Kind::Frozen);
  declare_transform_net(store, config);
  store.allocate();
  initialize_transform_net(store, config, 1);
  constexpr std::int64_t kHeight = 130, kWidth = 97;
  const auto values = test::hash_picture("progress", 1, kHeight, kWidth);
  const std::vector<std::uint8_t> pixels(values.begin(), values.end());
  for (const std::int64_t store_limit : {std::int64_t{0}, std::int64_t{1} << 30}) {
    BandedTransformNet net(context, store, config, kHeight, kWidth, DType::F32,
                           {.store_limit = store_limit, .band_bytes = 1});
    std::array<std::vector<std::uint8_t>, 2> results;
    for (auto& result : results) result.resize(kHeight * kWidth * 3);
    net.run(pixels.data(), results[0].data());
    for (int repetition = 0; repetition < 2; ++repetition) {
      std::vector<double> seen;
      net.run(pixels.data(), results[1].data(), [&](double done) { seen.push_back(done); });
      CHECK(seen.size() > 50);
      CHECK(seen.front() > 0);
      CHECK(seen.front() < 0.1);
      for (std::size_t i = 1; i < seen.size(); ++i) {
        CHECK(seen[i] > seen[i - 1]);
        CHECK(seen[i] < seen[i - 1] + 0.1);
      }
      CHECK(seen.back() == doctest::Approx(1).epsilon(1e-9));
      CHECK(results[1] == results[0]);
    }
  }
}
