// stylize_bench: seconds and memory for one picture through the full-width transform network, bytes in, bytes
// out, with random weights or those of a model. On a GPU also the time between two events around it, copies
// to and from the GPU included. The PyTorch peer is pytorch_stylize.py; compare_peers.py runs both, and other
// peers, on the CPU, gpu_check.sh on a GPU.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "apps/common/program.hpp"
#include "benchmarks/repetitions.hpp"
#include "engine/file_util.hpp"
#include "engine/image/image.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/base/error.hpp"
#include "kernels/cuda/event_timer.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/networks/transform_net/transform_model.hpp"
#include "weights_import/weights_import.hpp"

namespace {

using chiaro::Image;

chiaro::TransformModel random_model() {
  chiaro::TransformModel model{{}, std::make_unique<chiaro::ParamStore>(chiaro::ParamStore::Kind::Frozen)};
  chiaro::declare_transform_net(*model.params, model.config);
  model.params->allocate();
  chiaro::initialize_transform_net(*model.params, model.config, 1);
  return model;
}

Image noise(std::int64_t height, std::int64_t width) {
  Image picture(height, width, 3);
  for (std::size_t i = 0; i < picture.pixels.size(); ++i)
    picture.pixels[i] = static_cast<std::uint8_t>(i * 2654435761u >> 24);
  return picture;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Measures stylizing one picture.", "stylize_bench"};
  std::int64_t height = 512, width = 512;
  int repetitions = 5;
  bool on_request = false;
  std::string model_file, photo_file, output_file, json_file;
  chiaro::CommonOptions common;
  app.add_option("--height", height)->check(CLI::Range(16, 32768))->capture_default_str();
  app.add_option("--width", width)->check(CLI::Range(16, 32768))->capture_default_str();
  app.add_option("--repetitions", repetitions)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_flag("--on-request", on_request, "one repetition per line of standard input, until it ends");
  app.add_option("--model", model_file, "a transform network; default: random weights");
  app.add_option("--photo", photo_file, "the picture, whose size it is then; default: noise");
  app.add_option("--output", output_file, "write the first result to this file: bytes, R G B");
  app.add_option("--json", json_file, "also write the result to this file");
  chiaro::add_common_options(app, common);

  return chiaro::run_program(app, argc, argv, [&] {
    chiaro::Context context = chiaro::make_context(common);
    const chiaro::DType dtype = chiaro::choose_precision(context, common.precision);
    const chiaro::TransformModel model =
        model_file.empty()
            ? random_model()
            : chiaro::make_transform_model(chiaro::load_network(model_file, "transform_net"), model_file);
    const Image photo =
        photo_file.empty() ? noise(height, width) : chiaro::flatten_alpha(chiaro::decode_image(photo_file));
    height = photo.height;
    width = photo.width;
    chiaro::Stylizer stylizer(context, *model.params, model.config, height, width, dtype);

    Image result(height, width, 3);
    const bool on_gpu = context.device() == chiaro::Device::Cuda;
    const int warm_up = on_gpu ? 5 : 1;  // packs the weights, on a GPU also captures the graph
    const auto run = [&] { stylizer.run(photo.pixels.data(), result.pixels.data()); };
    for (int i = 0; i < warm_up; ++i) run();
    if (!output_file.empty())
      chiaro::write_text(output_file,
                         {reinterpret_cast<const char*>(result.pixels.data()), result.pixels.size()});
    std::vector<double> seconds, device_seconds;
    if (on_request)
      seconds = chiaro::bench::measure_on_request(run);
    else
      for (int i = 0; i < repetitions; ++i) seconds.push_back(chiaro::bench::seconds_of(run));
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
    nlohmann::ordered_json json{{"program", "chiaro stylize_bench"},
                                {"device", context.description()},
                                {"threads", context.threads()},
                                {"precision", context.tf32() ? "tf32" : chiaro::name_of(dtype)},
                                {"height", height},
                                {"width", width},
                                {"median_s", chiaro::bench::median(seconds)},
                                {"min_s", chiaro::bench::minimum(seconds)},
                                {"planned_mib", stylizer.planned_bytes() >> 20},
                                {"peak_rss_mib", chiaro::peak_resident_bytes() >> 20}};
    if (!device_seconds.empty()) json["device_median_s"] = chiaro::bench::median(device_seconds);
    if constexpr (chiaro::kHaveCuda)
      if (on_gpu) json["gpu_memory_in_use_mib"] = chiaro::cuda::memory_in_use(context) >> 20;
    fmt::print("{}\n", json.dump());
    if (!json_file.empty()) chiaro::write_text(json_file, json.dump(2) + "\n");
    return 0;
  });
}
