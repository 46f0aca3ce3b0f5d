#include "apps/common/loss_weights.hpp"

#include "apps/training/config.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/random_vgg.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {

namespace {

// Keras' weights without the classifier, of which it publishes the MD5.
constexpr PublicFile kKerasVgg19{"vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
                                 "253f8cb515780f3b799900260a226db6"};
constexpr PublicFile kKerasVgg16{"vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
                                 "6d6bbae143d832006294945121d1f1fc"};

}  // namespace

std::string loss_weights_file(const std::string& weights, const std::string& network,
                              const std::filesystem::path& shipped, const std::string& base_url) {
  if (weights == kDownloadWeights) {
    if (network == "resnet_upproj")
      throw Error("\"download\": no resnet_upproj can be downloaded any more; give a file, or \"compact\"");
    return cached_file(network == "vgg16" ? kKerasVgg16 : kKerasVgg19, base_url).string();
  }
  if (weights != kCompactWeights) return weights;
  if (network == "vgg16") throw Error("\"compact\": no compact vgg16 comes with chiaro; there is a vgg19");
  const auto file = shipped / (network == "vgg19" ? "compact_vgg19.h5" : "compact_depth.h5");
  if (!std::filesystem::exists(file))
    throw Error(
        "{}: the compact {} that comes with chiaro is missing; restore it, or give a file of your own",
        file.string(), network);
  return file.string();
}

WeightsFile load_loss_weights(const std::string& weights, const std::string& network) {
  constexpr std::int64_t kSeed = 1;
  if (weights != kRandomWeights) return load_network(loss_weights_file(weights, network), network);
  if (network == "resnet_upproj")
    throw Error("\"random\": random filters see no depth; give a trained resnet_upproj");
  return random_vgg(network == "vgg16" ? 16 : 19, 64, kSeed);
}

}  // namespace chiaro
