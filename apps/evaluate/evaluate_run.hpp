// What the program evaluate_engine does once its command line is read.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "apps/common/program.hpp"
#include "apps/evaluate/candidate.hpp"

namespace chiaro {

struct EvaluateOptions {
  std::vector<std::string> inputs;  // photos, or folders of them
  std::vector<CandidateSpec> candidates;
  std::string style, depth, vgg19;  // files; "" = not given
  std::int64_t style_size = 0;      // long side of the style picture; 0 = its own
  std::vector<std::string> style_layers = {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"};
  std::string content_layer = "relu4_2";
  std::int64_t size = 384;  // long side at which everything is judged; 0 = every photo's own
  bool median_scaling = false;
  std::int64_t sheet = 4;  // photos on the picture sheet
  std::string output;      // folder
  std::string command;     // for the JSON file
  CommonOptions common{.precision = "fp32"};
};

// Writes OUT/evaluation.json and OUT/sheet.jpg and prints a table. Returns the exit status: 0 when every
// photo was judged, else 1. A photo that any candidate fails on is left out for all, so that means are
// comparable, and costs one line on standard error; what concerns the whole run is an Error before any work.
int evaluate(const EvaluateOptions& options);

}  // namespace chiaro
