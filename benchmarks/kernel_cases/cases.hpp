// What kernel_bench measures: every op of kernels/ at the sizes of the poster's recipe (256x256, VGG-19, the
// transform network, ResNet-UpProj) for a given batch.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "benchmarks/kernel_cases/workbench.hpp"

namespace chiaro::bench {

struct Work {
  std::string shape;          // of what, for people
  double bytes = 0;           // read and written, as the header of the op's CUDA kernels counts them
  double flop = 0;            // of its products; 0: the op only moves data
  std::function<void()> run;  // on memory of the workbench
  std::string instead;        // the plain ops, or the library call, that it takes the place of; "": none
  std::function<void()> run_instead = {};
};

struct Case {
  std::string op;       // "instance_norm forward"
  bool matrix = false;  // judged by its FLOPs, and measured in TF32 as well
  std::function<Work(Workbench&, DType)> make;
};

void add_norm_cases(std::vector<Case>& cases, std::int64_t batch);
void add_data_cases(std::vector<Case>& cases, std::int64_t batch);    // pooling, borders, interleaving, ...
void add_loss_cases(std::vector<Case>& cases, std::int64_t batch);    // losses, pictures, optimizers
void add_cuda_cases(std::vector<Case>& cases, std::int64_t batch);    // kernels that the CPU has no need of
void add_matrix_cases(std::vector<Case>& cases, std::int64_t batch);  // convolutions, Gram matrices

}  // namespace chiaro::bench
