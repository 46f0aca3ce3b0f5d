// With CHIARO_PLAN_REPORT=FILE the plans are also written there as Markdown:
// benchmarks/results/cuda/cudnn_plans.md.
#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <fstream>

#include "kernels/cuda/cudnn_library.hpp"
#include "tests/kernels_cudnn/network_plans.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

struct Gpu {
  const char* name;
  const char* properties;
  bool listed;  // plan by plan in the report
};
constexpr Gpu kGpus[] = {{"H100", "kernels_cudnn/h100.json", true},
                         {"RTX 4090", "kernels_cudnn/rtx4090.json", false},
                         {"A100", "kernels_cudnn/a100.json", true}};

double mib(std::int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

// The key without the precision, so that all precisions of a problem share a row.
std::string without_precision(std::string key) {
  for (const char* word : {" bf16->fp32", " bf16", " fp32", " tf32"})
    if (const auto at = key.find(word); at != std::string::npos) key.erase(at, std::string(word).size());
  return key;
}

// One table row per problem; one cell per precision.
class Report {
 public:
  void add(std::size_t precision, const PlannedGraphs& graphs) {
    for (const auto& [key, g] : graphs) {
      if (key.find(" += ") != std::string::npos) continue;  // same shapes as without
      rows_[without_precision(key)][precision] =
          fmt::format("{}{}, {:.1f}", g.engine, g.from_fallback ? " (fallback)" : "", mib(g.workspace_bytes));
    }
  }
  std::string text() const {
    std::string text = "\n| graph |";
    for (const auto& p : kPrecisions) text += fmt::format(" {} |", p.name);
    text += "\n|---|---|---|---|\n";
    for (const auto& [key, cells] : rows_) {
      text += "| " + key + " |";
      for (const auto& cell : cells) text += " " + cell + " |";
      text += "\n";
    }
    return text;
  }

 private:
  std::map<std::string, std::array<std::string, std::size(kPrecisions)>> rows_;
};

}  // namespace

TEST_CASE("cudnn plans: every convolution of the networks has a precompiled, deterministic engine") {
  std::string summary, tables;
  for (const Gpu& gpu : kGpus) {
    CAPTURE(std::string(gpu.name));
    Report report;
    for (const Network& network : networks()) {
      for (std::size_t i = 0; i < std::size(kPrecisions); ++i) {
        const Precision& precision = kPrecisions[i];
        CAPTURE(std::string(precision.name));
        const PlannedGraphs graphs = planned_graphs(gpu.properties, network, precision);
        CHECK_MESSAGE(graphs.size() >= (network.trains ? 26u : 7u), std::string(network.name));
        std::int64_t fallbacks = 0, largest = 0;
        std::string largest_key;
        for (const auto& [key, g] : graphs) {
          CHECK_MESSAGE(g.refusal.empty(), key, ": ", g.refusal);
          CHECK_MESSAGE(!g.compiled_at_run_time, key);
          const bool strict = precision.dtype == DType::F32 && !precision.tf32;
          CHECK_MESSAGE(!(strict && g.matrix_units), key);
          fallbacks += g.from_fallback;
          if (g.workspace_bytes > largest) largest = g.workspace_bytes, largest_key = key;
        }
        report.add(i, graphs);
        summary += fmt::format("| {} | {} | {} | {} | {} | {:.1f} | {} |\n", gpu.name, network.name,
                               precision.name, graphs.size(), fallbacks, mib(largest), largest_key);
      }
    }
    if (gpu.listed) tables += fmt::format("\n## {}\n{}", gpu.name, report.text());
  }
  MESSAGE(summary);
  const char* file = std::getenv("CHIARO_PLAN_REPORT");
  if (!file) return;
  std::ofstream out(file);
  out << "# cuDNN's plans for the convolutions of our networks\n\n"
      << "Made without a GPU from the properties in `tests/kernels_cudnn/*.json`, cuDNN "
      << cudnn::version_text()
      << ", by\n`CHIARO_PLAN_REPORT=cudnn_plans.md test_kernels_cudnn`. It says that a plan exists and what "
         "memory it\n"
         "wants, not that it is fast. All engines are precompiled and deterministic, without FFT and "
         "Winograd; those\n"
         "of fp32 use no matrix units. Workspaces are in MiB; cells are `engine, workspace`.\n\n"
         "| GPU | network | precision | graphs | from the fallback list | largest workspace | of |\n"
         "|---|---|---|---|---|---|---|\n"
      << summary << tables;
  CHECK(out.good());
}
