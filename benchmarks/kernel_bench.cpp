// kernel_bench: every op of kernels/ at the sizes of the poster's recipe, beside what the machine can do at
// most: a large copy for ops that move data, a large matrix product for those that multiply; and beside the
// plain ops that a fused one takes the place of. kernel_table.py makes a Markdown table of the JSON.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/common/program.hpp"
#include "benchmarks/kernel_cases/cases.hpp"
#include "engine/file_util.hpp"
#include "kernels/base/error.hpp"

namespace {

using namespace chiaro;
using namespace chiaro::bench;
using Json = nlohmann::ordered_json;

struct Precision {
  const char* name;
  DType dtype;
  bool tf32;
};
constexpr Precision kPrecisions[] = {
    {"fp32", DType::F32, false}, {"tf32", DType::F32, true}, {"bf16", DType::BF16, false}};

struct Yardsticks {
  double copy = 0;    // bytes per second
  double matrix = 0;  // FLOP per second
};

// One row of the result. What an op refuses, for example what a GPU's memory cannot hold, becomes a row too.
Json measure(Workbench& bench, const Case& c, std::int64_t batch, const Precision& precision,
             const Yardsticks& yardsticks) {
  Json row{{"op", c.op}, {"batch", batch}, {"precision", precision.name}};
  try {
    const Work work = c.make(bench, precision.dtype);
    const double seconds = bench.median_seconds(work.run);
    row["shape"] = work.shape;
    row["us"] = 1e6 * seconds;
    row["bytes"] = work.bytes;
    row["gb_per_s"] = 1e-9 * work.bytes / seconds;
    row["of_copy"] = work.bytes / seconds / yardsticks.copy;
    if (work.flop > 0) {
      row["tflop_per_s"] = 1e-12 * work.flop / seconds;
      row["of_matrix"] = work.flop / seconds / yardsticks.matrix;
    }
    if (work.run_instead) {
      const double instead = bench.median_seconds(work.run_instead);
      row["instead"] = work.instead;
      row["instead_us"] = 1e6 * instead;
      row["times_faster"] = instead / seconds;
    }
  } catch (const Error& error) {
    row["refused"] = error.what();
  }
  bench.clear();
  return row;
}

void print(const Json& row) {
  if (row.contains("refused")) {
    fmt::print("{:<28} {:<5} refused: {}\n", row["op"].get<std::string>(),
               row["precision"].get<std::string>(), row["refused"].get<std::string>());
    return;
  }
  const auto percent = [&](const char* key) {
    return row.contains(key) ? fmt::format("{:.0f} %", 100 * row[key].get<double>()) : std::string("-");
  };
  const std::string faster =
      row.contains("times_faster") ? fmt::format("{:.2f}x", row["times_faster"].get<double>()) : "";
  fmt::print("{:<28} {:<5} {:>10.1f} us {:>8.1f} GB/s {:>6} {:>7} {:>6}  {}\n", row["op"].get<std::string>(),
             row["precision"].get<std::string>(), row["us"].get<double>(), row["gb_per_s"].get<double>(),
             percent("of_copy"), percent("of_matrix"), faster, row["shape"].get<std::string>());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Measures every op at the sizes of the poster's recipe.", "kernel_bench"};
  std::vector<std::int64_t> batches;
  std::vector<std::string> precisions;
  std::string only, skip, json_file;
  CommonOptions common;
  app.add_option("--batch", batches,
                 "pictures per batch; default 4, and 64 on a GPU, which is beyond its caches")
      ->check(CLI::Range(1, 256));
  app.add_option("--precision", precisions, "fp32, tf32 (CUDA only), bf16; default: all that there are")
      ->check(CLI::IsMember({"fp32", "tf32", "bf16"}));
  app.add_option("--only", only, "ops whose name contains this");
  app.add_option("--skip", skip, "ops whose name contains this are left out");
  app.add_option("--json", json_file, "also write the result to this file");
  add_common_options(app, common, false);

  return run_program(app, argc, argv, [&] {
    const bool on_gpu =
        common.device == "cuda" || (common.device == "auto" && device_available(Device::Cuda).available);
    Context context = on_gpu ? Context(Device::Cuda, common.threads) : Context(common.threads);
    if (batches.empty()) batches = on_gpu ? std::vector<std::int64_t>{4, 64} : std::vector<std::int64_t>{4};
    Workbench bench(context);
    Json result{{"program", "chiaro kernel_bench"},
                {"device", context.description()},
                {"threads", context.threads()}};
    Yardsticks yardsticks{.copy = copy_bytes_per_second(bench)};
    result["copy_gb_per_s"] = 1e-9 * yardsticks.copy;
    fmt::print("{}\ncopy {:.1f} GB/s, read and written\n", context.description(), 1e-9 * yardsticks.copy);
    for (const Precision& precision : kPrecisions) {
      if (precision.tf32 && !on_gpu) continue;
      if (!precisions.empty() &&
          std::find(precisions.begin(), precisions.end(), precision.name) == precisions.end())
        continue;
      context.allow_tf32(precision.tf32);
      yardsticks.matrix = matrix_flop_per_second(bench, precision.dtype);
      result["matrix_tflop_per_s"][precision.name] = 1e-12 * yardsticks.matrix;
      fmt::print("\n{}: matrix product {:.2f} TFLOP/s\n", precision.name, 1e-12 * yardsticks.matrix);
      for (const std::int64_t batch : batches) {
        std::vector<Case> cases;
        add_norm_cases(cases, batch);
        add_data_cases(cases, batch);
        add_loss_cases(cases, batch);
        if (on_gpu) add_cuda_cases(cases, batch);
        add_matrix_cases(cases, batch);
        for (const Case& c : cases) {
          const bool wanted =
              c.op.find(only) != std::string::npos && (skip.empty() || c.op.find(skip) == std::string::npos);
          if (!wanted || (precision.tf32 && !c.matrix)) continue;
          result["rows"].push_back(measure(bench, c, batch, precision, yardsticks));
          print(result["rows"].back());
        }
      }
    }
    if (!json_file.empty()) write_text(json_file, result.dump(1) + "\n");
    return 0;
  });
}
