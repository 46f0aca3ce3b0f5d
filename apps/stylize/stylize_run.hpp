// What the program stylize_engine does once its command line is read.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "apps/common/program.hpp"
#include "engine/image/image.hpp"

namespace chiaro {

struct StylizeOptions {
  std::string model = "base";
  std::string style;  // of a network of several: "wave", "wave=0.6,the_scream=0.4", "all"; "" = the only one
  std::vector<std::string> inputs;
  std::string output;
  std::string format;  // "png", "jpg" or "" = as the input
  std::string strip;   // picture strip to write as well; "" = none
  int jpeg_quality = kJpegQuality;
  std::int64_t max_size = 0;          // long side in pixels; 0 = any
  std::int64_t memory_limit_mib = 0;  // 0 = what is available
  bool verbose = false;
  CommonOptions common;
};

// The exit status: 0 when every picture was styled, else 1. A picture that cannot be styled costs one line on
// standard error; what concerns the whole run (model, output, a missing input) is an Error before any work.
int stylize(const StylizeOptions& options);

}  // namespace chiaro
