// Training state on disk: everything that an exact resume needs.
//
// HDF5: attributes format "chiaro_checkpoint", version 1, iteration, seconds, threads, device, precision,
// config (the resolved TOML), checksum; groups values, first_moments, second_moments with one fp32 dataset
// per parameter; where the store keeps running averages a group averages, and where the network has running
// statistics a group statistics with theirs. Written
// atomically. Batches, crops and initial values are pure functions of the seed and the iteration, so no
// generator state is kept.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/param_store.hpp"

namespace chiaro {

struct CheckpointInfo {
  std::int64_t iteration = 0;  // finished iterations
  double seconds = 0;          // that the run had worked by then; 0 in files that do not say
  std::int64_t threads = 0;    // the bits of a run depend on these three
  std::string device;          // name_of(Device); "cpu" in files that do not say
  std::string precision;
  std::string config;
};

// statistics: a frozen store that training changes, or null. Refuses, as an Error that names the parameter,
// to write values that are not finite.
void write_checkpoint(const std::filesystem::path& path, const CheckpointInfo& info, const ParamStore& store,
                      const ParamStore* statistics = nullptr);

// Fills the allocated stores bit for bit. Averages that the file does not have begin with the values. Errors
// name the file: not a checkpoint, damaged, another network.
CheckpointInfo read_checkpoint(const std::filesystem::path& path, ParamStore& store,
                               ParamStore* statistics = nullptr);
CheckpointInfo read_checkpoint_info(const std::filesystem::path& path);

}  // namespace chiaro
