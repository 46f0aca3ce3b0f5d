#include <oneapi/dnnl/dnnl.hpp>

#include "kernels/base/cpu_features.hpp"

namespace chiaro {

void limit_to_onednn(CpuFeatures& features) {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto may_use = [isa](dnnl::cpu_isa level) {
    return (isa & static_cast<unsigned>(level)) == static_cast<unsigned>(level);
  };
  features.avx2 = features.avx2 && may_use(dnnl::cpu_isa::avx2);
  features.avx512 = features.avx512 && may_use(dnnl::cpu_isa::avx512_core);
  features.avx512_bf16 = features.avx512_bf16 && may_use(dnnl::cpu_isa::avx512_core_bf16);
}

}  // namespace chiaro
