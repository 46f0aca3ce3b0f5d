// What the CPU offers to convolutions and matrix products: the instruction sets that it has and that oneDNN
// may use (ONEDNN_MAX_CPU_ISA limits those). "auto" precision chooses by it.
#pragma once

namespace chiaro {

struct CpuFeatures {
  bool avx2 = false, avx512 = false, avx512_bf16 = false;
};
const CpuFeatures& cpu_features();

void limit_to_onednn(CpuFeatures&);  // cpu_features() calls it in builds with oneDNN

}  // namespace chiaro
