// train_bench: seconds per training step (style + content + total variation, with --depth the depth loss too)
// on synthetic pictures and loss networks with random values, whose cost is that of the real ones. --profile
// adds a table per layer. The PyTorch peer is pytorch_train_step.py; compare_peers.py runs both on the CPU,
// gpu_check.sh on a GPU.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/common/program.hpp"
#include "apps/training/style_trainer.hpp"
#include "benchmarks/random_depth_network.hpp"
#include "benchmarks/repetitions.hpp"
#include "engine/file_util.hpp"
#include "engine/rng.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/memory.hpp"
#include "kernels/cuda/event_timer.hpp"

namespace {

using chiaro::Image;

constexpr int kWarmUp = 2, kWarmUpOnGpu = 10, kStepsTogetherOnGpu = 10;

// Smooth noise: neighboring pixels resemble each other as in photos.
Image synthetic_picture(std::int64_t size, std::uint32_t stream) {
  const chiaro::Rng rng(1, stream);
  Image coarse(size / 8, size / 8, 3);
  for (std::size_t i = 0; i < coarse.pixels.size(); ++i)
    coarse.pixels[i] = static_cast<std::uint8_t>(rng.below(i, 256));
  return chiaro::resize(coarse, size, size);
}

class ScratchFolder {
 public:
  ScratchFolder() : path_(std::filesystem::temp_directory_path() / fmt::format("train_bench_{}", getpid())) {
    std::filesystem::create_directories(path_);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// The poster's recipe, on loss networks with random values.
chiaro::TrainConfig make_config(const ScratchFolder& folder, std::int64_t size, std::int64_t batch,
                                bool depth) {
  chiaro::TrainConfig config;
  config.styles[0].image = folder / "style.png";
  chiaro::encode_image(config.styles[0].image, synthetic_picture(std::min<std::int64_t>(512, 2 * size), 99));
  config.weights.vgg19 = std::string(chiaro::kRandomWeights);
  config.loss.depth().weight = depth ? 1 : 0;
  if (depth) {
    config.weights.resnet_upproj = folder / "depth.h5";
    config.loss.depth().layers = {"up_8x", "up_16x", "prediction"};
    chiaro::write_weights(config.weights.resnet_upproj, chiaro::bench::random_depth_network(), true);
  }
  config.model.network.output = chiaro::OutputRange::Tanh150;
  config.model.init = chiaro::kRandomWeights;
  config.loss.range().weight = 0;
  config.data.batch_size = batch;
  config.data.image_size = size;
  return config;
}

void print_profile(const chiaro::Session& session, const std::vector<chiaro::NodeTime>& times, double seconds,
                   int steps) {
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
  for (const auto& [type, time] : by_type) fmt::print("  {:<18} {:>8.1f}\n", type, 1e3 * time);
  fmt::print("  {:<18} {:>8.1f}\n\n", "pictures, Adam", 1e3 * (seconds - total) / steps);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Measures a training step of the style recipe.", "train_bench"};
  std::int64_t size = 256, batch = 4;
  int steps = 5;
  bool profile = false, depth = false, on_request = false;
  std::string json_file;
  chiaro::CommonOptions common;
  app.add_option("--size", size, "pixels, both sides")->check(CLI::Range(32, 4096))->capture_default_str();
  app.add_option("--batch", batch)->check(CLI::Range(1, 64))->capture_default_str();
  app.add_option("--steps", steps, "measured steps, after some for warm-up")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_flag("--depth", depth, "with the depth loss: a ResNet-UpProj of published size, near its end");
  app.add_flag("--profile", profile, "time every layer (CPU)");
  app.add_flag("--on-request", on_request, "one step per line of standard input, until it ends (CPU)");
  app.add_option("--json", json_file, "also write the result to this file");
  chiaro::add_common_options(app, common);

  return chiaro::run_program(app, argc, argv, [&] {
    chiaro::Context context = chiaro::make_context(common);
    const chiaro::DType dtype = chiaro::choose_precision(context, common.precision);
    const bool on_gpu = context.device() == chiaro::Device::Cuda;
    const ScratchFolder folder;
    const chiaro::TrainConfig config = make_config(folder, size, batch, depth);
    chiaro::require(!profile || !on_gpu, "--profile: layers are timed on the CPU; on a GPU use a profiler");
    chiaro::require(!on_request || !(profile || on_gpu), "--on-request: on the CPU, without --profile");
    chiaro::StyleTrainer trainer(context, config, dtype, {});

    std::vector<std::uint8_t> photos;
    for (std::int64_t i = 0; i < batch; ++i) {
      const Image photo = synthetic_picture(size, static_cast<std::uint32_t>(i));
      photos.insert(photos.end(), photo.pixels.begin(), photo.pixels.end());
    }
    std::int64_t step = 0;
    const auto run_step = [&] { trainer.step(++step, photos); };
    run_step();
    nlohmann::ordered_json first;  // of the first step: equal on all devices, up to rounding
    for (const auto& term : trainer.terms()) first["loss"][term.name] = term.weighted();
    first["gradient_norm"] = trainer.parameter_gradient_norm();

    // A GPU may work while the host prepares the next step, so the clock is read once per several steps.
    const int together = on_gpu ? kStepsTogetherOnGpu : 1;
    while (step < (on_gpu ? kWarmUpOnGpu : kWarmUp)) run_step();
    std::vector<chiaro::NodeTime> times(trainer.session().graph().nodes().size());
    if (profile) trainer.session().set_profile(&times);
    std::vector<double> seconds;
    if (on_request) seconds = chiaro::bench::measure_on_request(run_step);
    for (int done = 0; done < steps && !on_request; done += together) {
      const double elapsed = chiaro::bench::seconds_of([&] {
        for (int i = 0; i < together; ++i) run_step();
        chiaro::synchronize(context);
      });
      seconds.push_back(elapsed / together);
    }
    if (profile)
      print_profile(trainer.session(), times, std::accumulate(seconds.begin(), seconds.end(), 0.0), steps);
    const double typical = chiaro::bench::median(seconds);
    nlohmann::ordered_json result{{"program", "chiaro train_bench"},
                                  {"device", context.description()},
                                  {"threads", context.threads()},
                                  {"precision", context.tf32() ? "tf32" : chiaro::name_of(dtype)},
                                  {"depth", depth},
                                  {"size", size},
                                  {"batch", batch},
                                  {"steps", steps},
                                  {"median_s", typical},
                                  {"min_s", chiaro::bench::minimum(seconds)},
                                  {"images_per_s", typical > 0 ? static_cast<double>(batch) / typical : 0},
                                  {"arena_mib", trainer.session().plan().memory.arena_bytes >> 20},
                                  {"peak_rss_mib", chiaro::peak_resident_bytes() >> 20}};
    result["first_step"] = first;
    if constexpr (chiaro::kHaveCuda)
      if (on_gpu) result["gpu_memory_in_use_mib"] = chiaro::cuda::memory_in_use(context) >> 20;
    fmt::print("{}\n", result.dump());
    if (!json_file.empty()) chiaro::write_text(json_file, result.dump(2) + "\n");
    return 0;
  });
}
