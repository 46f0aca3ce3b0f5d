// What all programs share: common options, precision, and a main that turns errors into one line.
#pragma once
#include <functional>
#include <string>

#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace CLI {
class
    App;  // <CLI/CLI.hpp> is for the sources that add options: no header of the project costs more to compile
}

namespace chiaro {

struct CommonOptions {
  std::string device = "auto";
  std::string precision = "auto";
  int threads = 0;
};

// --device, --precision (where the program has a choice), --threads, --version.
void add_common_options(CLI::App& app, CommonOptions& options, bool with_precision = true);

// --device auto takes the CUDA device where there is one, else the CPU, and in a build with CUDA the
// context's description() then says why. Throws when the wanted device is not to be had, saying why.
Context make_context(const CommonOptions& options);

// "auto" takes the fastest that the device supports; an impossible wish is an Error that says why. "tf32" is
// fp32 with the context's permission to use TF32.
DType choose_precision(Context& context, const std::string& precision);
// What choose_precision() chose, by its name: "fp32", "tf32" or "bf16".
std::string precision_name(const Context& context, DType dtype);

// Parses the command line and runs `body`, whose result is the exit status. Any exception becomes one line
// "PROGRAM: message" on standard error and status 1; a wrong command line is status 2. Standard streams that are
// closed or full stop nobody.
int run_program(CLI::App& app, int argc, char** argv, const std::function<int()>& body);

// For programs whose result is what they print: Error where it could not be.
void check_output();

// Peak resident memory of this process so far, bytes.
std::int64_t peak_resident_bytes();

}  // namespace chiaro
