// stylize_bench: seconds and memory for one picture through the full-width transform network, bytes in, bytes
// out, random weights. On a GPU also the time between two events around it, copies to and from the GPU
// included. The PyTorch peer is pytorch_stylize.py; compare_pytorch.py runs both on the CPU, gpu_check.sh on
// a GPU.
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "apps/common/program.hpp"
#include "engine/file_util.hpp"
#include "kernels/common/build_config.hpp"
#include "kernels/common/cuda/event_timer.hpp"
#include "kernels/common/error.hpp"
#include "layers/nets/transform_model.hpp"

namespace {

double clock_seconds(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Measures stylising one picture.", "stylize_bench"};
  std::int64_t height = 512, width = 512;
  int repetitions = 5;
  std::string json_file;
  chiaro::CommonOptions common;
  app.add_option("--height", height)->check(CLI::Range(16, 32768))->capture_default_str();
  app.add_option("--width", width)->check(CLI::Range(16, 32768))->capture_default_str();
  app.add_option("--repetitions", repetitions)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--json", json_file, "also write the result to this file");
  chiaro::add_common_options(app, common);

  return chiaro::run_program(app, argc, argv, [&] {
    chiaro::Context context = chiaro::make_context(common);
    const chiaro::DType dtype = chiaro::choose_precision(context, common.precision);
    const chiaro::TransformNetConfig config;
    chiaro::ParamStore params(chiaro::ParamStore::Kind::Frozen);
    chiaro::declare_transform_net(params, config);
    params.allocate();
    chiaro::initialize_transform_net(params, config, 1);
    chiaro::Stylizer stylizer(context, params, config, height, width, dtype);

    std::vector<std::uint8_t> picture(static_cast<std::size_t>(height * width * 3)), result(picture.size());
    for (std::size_t i = 0; i < picture.size(); ++i)
      picture[i] = static_cast<std::uint8_t>(i * 2654435761u >> 24);
    const bool on_gpu = context.device() == chiaro::Device::Cuda;
    const int warm_up = on_gpu ? 5 : 1;  // packs the weights, on a GPU also captures the graph
    std::vector<double> seconds, device_seconds;
    const auto run = [&] { stylizer.run(picture.data(), result.data()); };
    for (int i = 0; i < warm_up; ++i) run();
    for (int i = 0; i < repetitions; ++i) seconds.push_back(clock_seconds(run));
    // Once more with events around, so that these do not touch the times above.
    if constexpr (chiaro::kHaveCuda) {
      if (on_gpu) {
        chiaro::cuda::EventTimer timer(context);
        for (int i = 0; i < repetitions; ++i) {
          timer.mark();
          run();
          timer.mark();
          device_seconds.push_back(timer.seconds().front());
        }
      }
    }
    std::sort(seconds.begin(), seconds.end());
    std::sort(device_seconds.begin(), device_seconds.end());
    nlohmann::ordered_json json{{"program", "chiaro stylize_bench"},
                                {"device", context.description()},
                                {"threads", context.threads()},
                                {"precision", context.tf32() ? "tf32" : chiaro::name_of(dtype)},
                                {"height", height},
                                {"width", width},
                                {"median_s", seconds[seconds.size() / 2]},
                                {"min_s", seconds.front()},
                                {"planned_mib", stylizer.planned_bytes() >> 20},
                                {"peak_rss_mib", chiaro::peak_resident_bytes() >> 20}};
    if (!device_seconds.empty()) json["device_median_s"] = device_seconds[device_seconds.size() / 2];
    if constexpr (chiaro::kHaveCuda)
      if (on_gpu) json["gpu_memory_in_use_mib"] = chiaro::cuda::memory_in_use(context) >> 20;
    fmt::print("{}\n", json.dump());
    if (!json_file.empty()) chiaro::write_text(json_file, json.dump(2) + "\n");
    return 0;
  });
}
