#include "weights_import/upproj_scopes.hpp"

#include <algorithm>
#include <unordered_map>

#include "engine/io/h5_file.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

class TensorList {
 public:
  void convolution(const std::string& scope, std::int64_t k, std::int64_t r, std::int64_t s, std::int64_t c,
                   bool has_bias) {
    tensors.push_back({scope + ".weight", {k, r, s, c}});
    if (has_bias) tensors.push_back({scope + ".bias", {k}});
  }
  void batch_norm(const std::string& scope, std::int64_t channels) {
    for (const char* part : {".scale", ".offset", ".mean", ".variance"})
      tensors.push_back({scope + part, {channels}});
  }

  std::vector<UpprojTensor> tensors;
};

void add_encoder(TensorList& list, std::int64_t width, bool has_stage5) {
  constexpr int kBlocks[] = {3, 4, 6, 3};  // of stages 2 to 5
  list.convolution("conv1", width, 7, 7, 3, true);
  list.batch_norm("bn_conv1", width);
  std::int64_t in = width, inner = width;
  for (int stage = 2; stage <= (has_stage5 ? 5 : 4); ++stage, inner *= 2) {
    for (int block = 0; block < kBlocks[stage - 2]; ++block) {
      const std::string id = fmt::format("{}{}_branch", stage, static_cast<char>('a' + block));
      const auto pair = [&](const char* branch, std::int64_t k, std::int64_t extent, std::int64_t c) {
        list.convolution("res" + id + branch, k, extent, extent, c, false);
        list.batch_norm("bn" + id + branch, k);
      };
      if (block == 0) pair("1", 4 * inner, 1, in);
      pair("2a", inner, 1, in);
      pair("2b", inner, 3, inner);
      pair("2c", 4 * inner, 1, inner);
      in = 4 * inner;
    }
  }
  list.convolution("layer1", 16 * width, 1, 1, in, true);
  list.batch_norm("layer1_BN", 16 * width);
}

void add_up_projection(TensorList& list, const std::string& layer, std::int64_t in, std::int64_t out) {
  struct Tap {
    const char* letter;
    std::int64_t r, s;
  };
  constexpr Tap kTaps[] = {{"A", 3, 3}, {"C", 3, 2}, {"B", 2, 3}, {"D", 2, 2}};
  for (const Tap& tap : kTaps) {
    for (const std::string branch : {"_br1_", "_br2_"}) {
      list.convolution(layer + branch + "Conv" + tap.letter, out, tap.r, tap.s, in, true);
      if (&tap == kTaps) list.batch_norm(layer + branch + "BN", out);
    }
  }
  list.convolution(layer + "_Conv", out, 3, 3, out, true);
  list.batch_norm(layer + "_BN", out);
}

}  // namespace

std::vector<UpprojTensor> upproj_tensors(int width, bool has_stage5) {
  require(width > 0, "resnet_upproj: width {}, expected at least 1", width);
  TensorList list;
  add_encoder(list, width, has_stage5);
  std::int64_t in = 16 * width;
  for (const char* id : {"2x", "4x", "8x", "16x"}) {
    add_up_projection(list, std::string("layer") + id, in, in / 2);
    in /= 2;
  }
  list.convolution("ConvPred", 1, 3, 3, in, true);
  return list.tensors;
}

std::vector<NamedTensor> complete_upproj(std::vector<NamedTensor> found, int width, bool has_stage5,
                                         const std::string& file) {
  std::unordered_map<std::string, NamedTensor*> by_name;
  for (NamedTensor& tensor : found) by_name.emplace(tensor.name, &tensor);
  std::vector<NamedTensor> ordered;
  std::vector<std::string> missing;
  for (const UpprojTensor& wanted : upproj_tensors(width, has_stage5)) {
    const auto it = by_name.find(wanted.name);
    if (it == by_name.end()) {
      missing.push_back(wanted.name);
      continue;
    }
    if (it->second->shape != wanted.shape) {
      throw Error("{}: tensor '{}' has shape {}, expected {}", file, wanted.name,
                  shape_text(it->second->shape), shape_text(wanted.shape));
    }
    ordered.push_back(std::move(*it->second));
  }
  if (missing.empty()) return ordered;
  throw Error(
      "{}: lacks {} of the {} tensors of ResNet-UpProj: {}; the file is incomplete or another network", file,
      missing.size(), missing.size() + ordered.size(), listed(missing));
}

}  // namespace chiaro
