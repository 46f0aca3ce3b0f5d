// Tiles of 16x16x16 on tensor cores: bf16 factors, fp32 sums.
#pragma once
#include "kernels/base/cuda_portable.hpp"
#ifdef __CUDACC__
#include <mma.h>
#endif

namespace chiaro {

namespace wmma = nvcuda::wmma;

#ifdef __CUDACC__
using TensorBf16 = __nv_bfloat16;
#else
using TensorBf16 = bf16;
#endif
static_assert(sizeof(TensorBf16) == sizeof(bf16));

template <class Use, class Layout>
using FactorTile = wmma::fragment<Use, 16, 16, 16, TensorBf16, Layout>;
using SumTile = wmma::fragment<wmma::accumulator, 16, 16, 16, float>;

template <class Use, class Layout>
inline __device__ void load_tile(FactorTile<Use, Layout>& tile, const bf16* p, int stride) {
  wmma::load_matrix_sync(tile, reinterpret_cast<const TensorBf16*>(p), stride);
}

}  // namespace chiaro
