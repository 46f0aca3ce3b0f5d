// The weights of loss networks: files, public ones that are downloaded once, the compact networks that come
// with chiaro, random filters.
#pragma once
#include <filesystem>
#include <string>

#include "apps/common/download.hpp"
#include "apps/common/model_path.hpp"
#include "engine/io/weights_file.hpp"

namespace chiaro {

// What `weights` ("compact", "download", "random" or a path) of a loss network ("vgg19", "vgg16",
// "resnet_upproj") is read from: for "compact" compact_vgg19.h5 or compact_depth.h5 among the shipped models,
// for "download" Keras' file, which is fetched from below base_url when it is not in the cache, else
// `weights` as it is. Errors: "compact" or "download" where there is none of the kind, a missing file; those
// of cached_file().
std::string loss_weights_file(const std::string& weights, const std::string& network,
                              const std::filesystem::path& shipped = shipped_models(),
                              const std::string& base_url = std::string(kKerasUrl));

// Loads them. "random" gives a VGG with seeded filters, always the same. Errors: those of load_network() and
// of the above; a random resnet_upproj.
WeightsFile load_loss_weights(const std::string& weights, const std::string& network);

}  // namespace chiaro
