// convolution_bench: the convolutions of our networks that Winograd's minimal filtering does, beside the same with
// it left out: time of each pass, in turns, and the error of each against double. Writes Markdown.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <random>

#include "apps/common/environment.hpp"
#include "apps/common/program.hpp"
#include "engine/buffer.hpp"
#include "engine/file_util.hpp"
#include "kernels/base/settings.hpp"
#include "kernels/conv2d/conv2d_reference.hpp"

namespace {

using namespace chiaro;
using namespace chiaro::conv2d;

struct Case {
  const char* layers;
  Shape x;
  int64_t k, taps, pad;
};
// Of a training step on 256x256 pixels.
constexpr Case kCases[] = {
    {"transform network, residual blocks", {1, 66, 66, 128}, 128, 3, 0},
    {"transform network, up1", {1, 66, 66, 128}, 256, 2, 0},
    {"transform network, up2", {1, 130, 130, 64}, 128, 2, 0},
    {"VGG-19, relu1_2", {1, 256, 256, 64}, 64, 3, 1},
    {"VGG-19, relu2_1", {1, 128, 128, 64}, 128, 3, 1},
    {"VGG-19, relu2_2", {1, 128, 128, 128}, 128, 3, 1},
    {"VGG-19, relu3_2", {1, 64, 64, 256}, 256, 3, 1},
    {"VGG-19, relu4_2", {1, 32, 32, 512}, 512, 3, 1},
    {"VGG-19, relu5_1", {1, 16, 16, 512}, 512, 3, 1},
    {"compact VGG-19, relu1_2", {1, 256, 256, 64}, 24, 3, 1},
    {"compact VGG-19, relu2_2", {1, 128, 128, 128}, 40, 3, 1},
    {"compact VGG-19, relu3_2", {1, 64, 64, 256}, 64, 3, 1},
    {"depth network, stage 2", {1, 32, 32, 128}, 128, 3, 1},
};
constexpr const char* kWithout = "conv2d:-winograd";

std::vector<float> normals(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> pick;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = pick(random);
  return values;
}

// One pass of a problem with random data by the implementation that the setting leaves.
class Work {
 public:
  Work(Context& context, const Problem& p, Pass pass, const std::string& setting)
      : context_(context), pass_(pass) {
    settings().implementations = setting;
    plan_ = Plan::make(context, p);
    x_ = normals(p.x.count(), 1);
    w_ = normals(p.weight_count(), 2);
    dy_ = normals(p.y().count(), 3);
    const int64_t results[] = {p.y().count(), p.x.count(), p.weight_count()};
    result_.resize(static_cast<std::size_t>(results[static_cast<int>(pass)]));
    workspace_ = Buffer(plan_->workspace_bytes(pass), "the workspace");
    if (pass != Pass::BackwardWeights) {
      packed_ = Buffer(plan_->packed_bytes(pass), "the weights");
      plan_->pack(context, pass, w_.data(), packed_.data());
    }
  }

  double run() {
    const Problem& p = plan_->problem();
    const auto start = std::chrono::steady_clock::now();
    if (pass_ == Pass::Forward)
      plan_->forward(context_, {x_.data(), DType::F32, p.x}, packed_.data(), nullptr,
                     {result_.data(), DType::F32, p.y()}, workspace_.data());
    else if (pass_ == Pass::BackwardData)
      plan_->backward_data(context_, {dy_.data(), DType::F32, p.y()}, packed_.data(),
                           {result_.data(), DType::F32, p.x}, GradientMode::Overwrite, workspace_.data());
    else
      plan_->backward_weights(context_, {x_.data(), DType::F32, p.x}, {dy_.data(), DType::F32, p.y()},
                              result_.data(), nullptr, GradientMode::Overwrite, workspace_.data());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  std::string implementation() const { return plan_->implementation(pass_); }

  // Normalized mean squared error against the same in double.
  double error() {
    const Problem& p = plan_->problem();
    const std::vector<double> x(x_.begin(), x_.end()), w(w_.begin(), w_.end()), dy(dy_.begin(), dy_.end());
    std::vector<double> exact(result_.size());
    if (pass_ == Pass::Forward)
      reference::forward<double, double>(p, x.data(), w.data(), nullptr, exact.data());
    else if (pass_ == Pass::BackwardData)
      reference::backward_data<double, double>(p, dy.data(), w.data(), exact.data(), false);
    else
      reference::backward_weights<double, double>(p, x.data(), dy.data(), exact.data(), nullptr, false);
    run();
    double error = 0, scale = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      error += (result_[i] - exact[i]) * (result_[i] - exact[i]);
      scale += exact[i] * exact[i];
    }
    return error / scale;
  }

 private:
  Context& context_;
  Pass pass_;
  std::unique_ptr<Plan> plan_;
  std::vector<float> x_, w_, dy_, result_;
  Buffer packed_, workspace_;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

std::string row(Context& context, const Case& c, Pass pass, int64_t batch, int rounds) {
  Problem p{.x = c.x, .k = c.k, .r = c.taps, .s = c.taps, .stride = 1, .pad = {c.pad, c.pad, c.pad, c.pad}};
  const double error = Work(context, p, pass, "").error(),
               plain_error = Work(context, p, pass, kWithout).error();
  p.x.n = batch;
  Work ours(context, p, pass, ""), plain(context, p, pass, kWithout);
  std::vector<double> seconds, plain_seconds;
  for (int i = 0; i < rounds; ++i) {
    seconds.push_back(ours.run());
    plain_seconds.push_back(plain.run());
  }
  const double t = median(seconds), other = median(plain_seconds);
  const double gflop = 2e-9 * static_cast<double>(p.y().count() * c.taps * c.taps * c.x.c);
  return fmt::format(
      "| {}: {} | {} | {} | {:.2f} | {:.0f} | {} | {:.2f} | {:.0f} | {:.2f}x | {:.1e} | {:.1e} |\n", c.layers,
      to_string(p.x), name_of(pass), ours.implementation(), 1e3 * t, gflop / t, plain.implementation(),
      1e3 * other, gflop / other, other / t, error, plain_error);
}

}  // namespace

int main(int argc, char** argv) {
  chiaro::limit_spinning(argv);  // as the programs do
  CLI::App app{"Convolutions by Winograd's minimal filtering beside the same without: times and errors.",
               "convolution_bench"};
  int64_t batch = 4;
  int rounds = 9;
  std::string only, file;
  CommonOptions common;
  app.add_option("--batch", batch, "pictures; errors are those of one")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--rounds", rounds, "of which the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--only", only, "layers whose name contains this");
  app.add_option("-o,--out", file, "also write the table to this file");
  add_common_options(app, common, false);
  return run_program(app, argc, argv, [&] {
    Context context(common.threads);
    std::string table = fmt::format(
        "{}. Times are medians of {}, in turns, batch {}; GF/s counts the formula's operations. Errors: normalized mean "
        "squared errors against double.\n\n"
        "| convolution | pass | by | ms | GF/s | without Winograd | ms | GF/s | times as fast | error | error without |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n",
        context.description(), rounds, batch);
    fmt::print("{}", table);
    for (const Case& c : kCases)
      for (const Pass pass : {Pass::Forward, Pass::BackwardData, Pass::BackwardWeights}) {
        const bool frozen = std::string_view(c.layers).find("transform") == std::string_view::npos;
        if ((frozen && pass == Pass::BackwardWeights) ||
            std::string_view(c.layers).find(only) == std::string_view::npos)
          continue;
        const std::string line = row(context, c, pass, batch, rounds);
        fmt::print("{}", line);
        std::fflush(stdout);
        table += line;
      }
    if (!file.empty()) write_text(file, table);
    return 0;
  });
}
