// What a program is told about how ops run, beside its options. Kernels and engine read no environment: a
// program sets this where it starts, before it calls ops (apps/common/environment.hpp), or leaves it alone.
#pragma once
#include <string>

namespace chiaro {

struct Settings {
  std::string log;              // topics to print to stderr: "dispatch,tune"
  std::string implementations;  // entries of implementation lists to force: "conv2d:reference,gemm:onednn"
  std::string cudnn_tune;    // folder of measured cuDNN engines (cuda/plan_file.hpp); "" = cuDNN's heuristics
  bool cuda_graph = true;    // steps are recorded and replayed
  bool synchronous = false;  // every kernel is waited for, so that an error names the one that failed
};

// Of the process.
Settings& settings();

}  // namespace chiaro
