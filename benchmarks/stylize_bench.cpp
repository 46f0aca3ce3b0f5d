// stylize_bench: seconds and memory for one picture through the full-width transform network, bytes in, bytes
// out, random weights. The PyTorch peer is pytorch_stylize.py; compare_pytorch.py runs both.
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "apps/common/program.hpp"
#include "kernels/common/error.hpp"
#include "layers/nets/transform_model.hpp"

int main(int argc, char** argv) {
  CLI::App app{"Measures stylising one picture.", "stylize_bench"};
  std::int64_t height = 512, width = 512;
  int repetitions = 5;
  chiaro::CommonOptions common;
  app.add_option("--height", height)->check(CLI::Range(16, 32768))->capture_default_str();
  app.add_option("--width", width)->check(CLI::Range(16, 32768))->capture_default_str();
  app.add_option("--repetitions", repetitions)->check(CLI::Range(1, 1000))->capture_default_str();
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
    std::vector<double> seconds;
    for (int i = 0; i <= repetitions; ++i) {  // the first run packs the weights: warm-up
      const auto start = std::chrono::steady_clock::now();
      stylizer.run(picture.data(), result.data());
      if (i > 0)
        seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::sort(seconds.begin(), seconds.end());
    const nlohmann::ordered_json json{{"program", "chiaro stylize_bench"},
                                      {"device", context.description()},
                                      {"threads", context.threads()},
                                      {"precision", chiaro::name_of(dtype)},
                                      {"height", height},
                                      {"width", width},
                                      {"median_s", seconds[seconds.size() / 2]},
                                      {"min_s", seconds.front()},
                                      {"planned_mib", stylizer.planned_bytes() >> 20},
                                      {"peak_rss_mib", chiaro::peak_resident_bytes() >> 20}};
    fmt::print("{}\n", json.dump());
    return 0;
  });
}
