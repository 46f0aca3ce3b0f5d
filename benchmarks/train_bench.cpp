// train_bench: seconds per training step (style + content + total variation) on synthetic pictures and a
// VGG-19 with random filters, whose cost is that of the real one. --profile adds a table per layer. The
// PyTorch peer is pytorch_train_step.py; compare_pytorch.py runs both.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/common/program.hpp"
#include "apps/training/style_trainer.hpp"
#include "engine/file_util.hpp"
#include "engine/rng.hpp"
#include "kernels/common/error.hpp"

namespace {

using chiaro::Image;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Smooth noise: neighbouring pixels resemble each other as in photos.
Image synthetic_picture(std::int64_t size, std::uint32_t stream) {
  const chiaro::Rng rng(1, stream);
  Image coarse(size / 8, size / 8, 3);
  for (std::size_t i = 0; i < coarse.pixels.size(); ++i)
    coarse.pixels[i] = static_cast<std::uint8_t>(rng.below(i, 256));
  return chiaro::resize(coarse, size, size);
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

void print_profile(const chiaro::Session& session, const std::vector<chiaro::NodeTime>& times, int steps) {
  fmt::print("{:<28} {:<14} {:>18} {:>10} {:>11} {:>9} {:>9}\n", "node", "type", "output", "forward ms",
             "backward ms", "GFLOP/s", "share %");
  double total = 0;
  for (const auto& t : times) total += t.forward_s + t.backward_s;
  std::map<std::string, double> by_type;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto& node = session.graph().nodes()[i];
    const auto& s = session.graph().shape(node.output);
    const double forward = times[i].forward_s / steps, backward = times[i].backward_s / steps;
    const double flop = 2e-9 * static_cast<double>(node.layer->multiply_adds());
    fmt::print("{:<28} {:<14} {:>18} {:>10.2f} {:>11.2f} {:>9.0f} {:>9.1f}\n", node.name, node.layer->type(),
               chiaro::to_string(s), 1e3 * forward, 1e3 * backward, forward > 0 ? flop / forward : 0,
               100 * (times[i].forward_s + times[i].backward_s) / total);
    by_type[node.layer->type()] += forward + backward;
  }
  fmt::print("\nby type, ms per step:\n");
  for (const auto& [type, seconds] : by_type) fmt::print("  {:<18} {:>8.1f}\n", type, 1e3 * seconds);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Measures a training step of the style recipe.", "train_bench"};
  std::int64_t size = 256, batch = 4;
  int steps = 5;
  bool profile = false;
  std::string json_file;
  chiaro::CommonOptions common;
  app.add_option("--size", size, "pixels, both sides")->check(CLI::Range(32, 4096))->capture_default_str();
  app.add_option("--batch", batch)->check(CLI::Range(1, 64))->capture_default_str();
  app.add_option("--steps", steps, "measured steps, after two for warm-up")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--profile", profile, "time every layer");
  app.add_option("--json", json_file, "also write the result to this file");
  chiaro::add_common_options(app, common);

  return chiaro::run_program(app, argc, argv, [&] {
    chiaro::Context context = chiaro::make_context(common);
    chiaro::TrainConfig config;
    const auto style =
        std::filesystem::temp_directory_path() / fmt::format("train_bench_style_{}.png", getpid());
    chiaro::encode_image(style.string(), synthetic_picture(512, 99));
    config.style.image = style.string();
    config.weights.vgg19 = std::string(chiaro::kRandomWeights);
    config.loss.depth.weight = 0;
    config.data.batch_size = batch;
    config.data.image_size = size;
    const chiaro::DType dtype = chiaro::choose_precision(context, common.precision);
    chiaro::StyleTrainer trainer(context, config, dtype, {});
    std::filesystem::remove(style);

    std::vector<std::uint8_t> photos;
    for (std::int64_t i = 0; i < batch; ++i) {
      const Image photo = synthetic_picture(size, static_cast<std::uint32_t>(i));
      photos.insert(photos.end(), photo.pixels.begin(), photo.pixels.end());
    }
    std::vector<chiaro::NodeTime> times(trainer.session().graph().nodes().size());
    std::vector<double> seconds;
    double update_s = 0;
    for (int step = 1; step <= steps + 2; ++step) {
      if (step == 3 && profile) trainer.session().set_profile(&times);
      const double start = now_s();
      trainer.forward(photos);
      trainer.backward();
      const double before_update = now_s();
      trainer.update(step);
      const double end = now_s();
      if (step <= 2) continue;
      seconds.push_back(end - start);
      update_s += (end - before_update) / steps;
    }
    if (profile) {
      print_profile(trainer.session(), times, steps);
      fmt::print("  {:<18} {:>8.1f}\n\n", "adam", 1e3 * update_s);
    }
    const double typical = median(seconds);
    const nlohmann::ordered_json result{{"program", "chiaro train_bench"},
                                        {"device", context.description()},
                                        {"threads", context.threads()},
                                        {"precision", chiaro::name_of(dtype)},
                                        {"size", size},
                                        {"batch", batch},
                                        {"steps", steps},
                                        {"median_s", typical},
                                        {"min_s", *std::min_element(seconds.begin(), seconds.end())},
                                        {"images_per_s", static_cast<double>(batch) / typical},
                                        {"arena_mib", trainer.session().plan().memory.arena_bytes >> 20},
                                        {"peak_rss_mib", chiaro::peak_resident_bytes() >> 20}};
    fmt::print("{}\n", result.dump());
    if (!json_file.empty()) chiaro::write_text(json_file, result.dump(2) + "\n");
    return 0;
  });
}
