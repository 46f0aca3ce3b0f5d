#include "weights_import/vgg_convs.hpp"

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

std::vector<ConvShape> vgg_convs(int depth, int width) {
  require(depth == 16 || depth == 19, "vgg: depth {} does not exist, expected 16 or 19", depth);
  require(width > 0, "vgg: width {}, expected at least 1", width);
  const int late = depth == 19 ? 4 : 3;
  const int convs_per_block[5] = {2, 2, late, late, late};
  const int channels[5] = {width, 2 * width, 4 * width, 8 * width, 8 * width};
  std::vector<ConvShape> convs;
  std::int64_t in = 3;
  for (int block = 1; block <= 5; ++block) {
    for (int index = 1; index <= convs_per_block[block - 1]; ++index) {
      convs.push_back({block, index, in, channels[block - 1]});
      in = channels[block - 1];
    }
  }
  return convs;
}

std::vector<ConvShape> vgg_convs_up_to(int depth, const std::string& layer, int width) {
  std::vector<ConvShape> convs = vgg_convs(depth, width);
  if (layer.empty()) return convs;
  std::vector<std::string> known;
  for (std::size_t i = 0; i < convs.size(); ++i) {
    const std::string conv = convs[i].name();
    const std::string relu = "relu" + conv.substr(4);
    const bool ends_block = i + 1 == convs.size() || convs[i + 1].block != convs[i].block;
    const std::string pool = "pool" + std::to_string(convs[i].block);
    if (layer == conv || layer == relu || (ends_block && layer == pool)) {
      convs.resize(i + 1);
      return convs;
    }
    known.insert(known.end(), {relu, conv});
    if (ends_block) known.push_back(pool);
  }
  throw Error("vgg{}: no layer '{}'{}", depth, layer, did_you_mean(layer, known));
}

}  // namespace chiaro
