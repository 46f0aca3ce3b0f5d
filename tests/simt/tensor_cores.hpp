// CUDA's matrix product of a warp, nvcuda::wmma, for 16x16x16 tiles of bf16 with fp32 sums.
//
// Which lane holds which element is unspecified in CUDA; here lane l holds elements 8 l ... 8 l + 7 in row
// order. Sums run in fp32 in the order of k: tensor cores round differently.
#pragma once
#include "kernels/base/bf16.hpp"
#include "tests/simt/simt.hpp"

namespace nvcuda::wmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K, class T, class Layout = void>
struct fragment {
  static_assert(M == 16 && N == 16 && K == 16, "the emulator knows 16x16x16 only");
  static constexpr int num_elements = 8;
  T x[8];
};

template <class Fragment, class T>
void fill_fragment(Fragment& f, T value) {
  for (auto& element : f.x) element = value;
}

template <class T>
void check_tile(const T* p, unsigned stride, const simt::Site& site) {
  if (reinterpret_cast<std::uintptr_t>(p) % 32 != 0)
    simt::fail("a wmma tile", "is not aligned to 32 bytes", site);
  if (stride * sizeof(T) % 16 != 0) simt::fail("a wmma tile", "its rows are not multiples of 16 bytes", site);
}
inline std::size_t tile_offset(int i, unsigned stride, bool rows) {
  const unsigned e = static_cast<unsigned>(simt::lane_index() * 8 + i), r = e / 16, c = e % 16;
  return rows ? std::size_t{r} * stride + c : std::size_t{c} * stride + r;
}

template <class Use, class T, class Layout>
void load_matrix_sync(fragment<Use, 16, 16, 16, T, Layout>& f, const T* p, unsigned stride,
                      simt::Site site = simt::Site::here()) {
  check_tile(p, stride, site);
  for (int i = 0; i < 8; ++i) f.x[i] = p[tile_offset(i, stride, std::is_same_v<Layout, row_major>)];
}
template <class T>
void load_matrix_sync(fragment<accumulator, 16, 16, 16, T>& f, const T* p, unsigned stride, layout_t layout,
                      simt::Site site = simt::Site::here()) {
  check_tile(p, stride, site);
  for (int i = 0; i < 8; ++i) f.x[i] = p[tile_offset(i, stride, layout == mem_row_major)];
}
template <class T>
void store_matrix_sync(T* p, const fragment<accumulator, 16, 16, 16, T>& f, unsigned stride, layout_t layout,
                       simt::Site site = simt::Site::here()) {
  check_tile(p, stride, site);
  for (int i = 0; i < 8; ++i) p[tile_offset(i, stride, layout == mem_row_major)] = f.x[i];
}

// d = a * b + c
template <class T, class LayoutA, class LayoutB>
void mma_sync(fragment<accumulator, 16, 16, 16, float>& d,
              const fragment<matrix_a, 16, 16, 16, T, LayoutA>& a,
              const fragment<matrix_b, 16, 16, 16, T, LayoutB>& b,
              const fragment<accumulator, 16, 16, 16, float>& c, simt::Site site = simt::Site::here()) {
  struct Operands {
    float* d;
    const T *a, *b;
    const float* c;
  };
  const Operands mine{d.x, a.x, b.x, c.x};
  const Operands* address = &mine;
  std::memcpy(simt::this_lane().value, &address, sizeof address);
  simt::collective(~0u, simt::Wait::mma, site,
                   [](simt::Lane* lanes, std::uint32_t mask, const simt::Site& where) {
                     if (mask != ~0u) simt::fail("mma_sync", "needs a full warp", where);
                     const Operands* all[32];
                     float A[256], B[256], C[256];
                     for (int l = 0; l < 32; ++l) {
                       std::memcpy(&all[l], lanes[l].value, sizeof all[l]);
                       for (int i = 0; i < 8; ++i) {
                         A[l * 8 + i] = float(all[l]->a[i]);
                         B[l * 8 + i] = float(all[l]->b[i]);
                         C[l * 8 + i] = all[l]->c[i];
                       }
                     }
                     for (int i = 0; i < 16; ++i)
                       for (int k = 0; k < 16; ++k)
                         for (int j = 0; j < 16; ++j) C[i * 16 + j] += A[i * 16 + k] * B[k * 16 + j];
                     for (int l = 0; l < 32; ++l)
                       for (int i = 0; i < 8; ++i) all[l]->d[i] = C[l * 8 + i];
                   });
}

}  // namespace nvcuda::wmma
