// Writes the weights file of a ResNet-UpProj of published size with random values, for train_engine where
// only the time of a training is of interest.
#include <CLI/CLI.hpp>

#include "apps/common/program.hpp"
#include "benchmarks/random_depth_network.hpp"

int main(int argc, char** argv) {
  CLI::App app{"Writes a depth network with random values: for benchmarks, it sees no depth.",
               "write_random_depth_network"};
  std::string output;
  app.add_option("output", output, "file to write, 122 MB")->required()->type_name("OUT.h5");
  return chiaro::run_program(app, argc, argv, [&] {
    chiaro::write_weights(output, chiaro::bench::random_depth_network(), true);
    return 0;
  });
}
