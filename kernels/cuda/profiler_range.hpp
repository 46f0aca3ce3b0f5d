// Names a stretch of host code in NVIDIA's profilers. Costs a pointer test where none is attached.
#pragma once
#include <nvtx3/nvToolsExt.h>

namespace chiaro::cuda {

class ProfilerRange {
 public:
  explicit ProfilerRange(const char* name) { nvtxRangePushA(name); }
  ~ProfilerRange() { nvtxRangePop(); }
  ProfilerRange(const ProfilerRange&) = delete;
  ProfilerRange& operator=(const ProfilerRange&) = delete;
};

}  // namespace chiaro::cuda
