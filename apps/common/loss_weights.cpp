#include "apps/common/loss_weights.hpp"

#include "engine/config/config.hpp"
#include "kernels/common/error.hpp"
#include "weights_import/random_vgg.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {

std::string loss_weights_file(const std::string& weights, const std::string& network,
                              const std::filesystem::path& shipped) {
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
