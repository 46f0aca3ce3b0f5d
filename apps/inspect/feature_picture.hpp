// Pictures of feature maps: a row per layer, the strongest channels side by side.
#pragma once
#include <vector>

#include "apps/inspect/network_features.hpp"
#include "engine/image/image.hpp"

namespace chiaro {

enum class MapColors { Gray, Magma };

struct FeaturePictureOptions {
  std::int64_t channels = 8;  // maps per row
  std::int64_t cell = 200;    // long side of every map, pixels
  MapColors colors = MapColors::Magma;
};

// The channels with the largest standard deviation over the picture, those that tell most of it, largest
// first; ties go to the lower channel. At most `count`.
std::vector<std::int64_t> most_active_channels(const Feature& feature, std::int64_t count);

// One channel as a picture of its own size. The smallest value is drawn darkest; the brightest shade begins
// at the 99.5th percentile, so that single peaks do not darken the rest. A constant channel is dark.
Image draw_channel(const Feature& feature, std::int64_t channel, MapColors colors);

// A row per feature: the picture, captioned with the layer's name, then its most active channels, captioned
// with their numbers. Maps are enlarged to whole pixels without smoothing, and reduced with.
Image draw_features(const Image& picture, const std::vector<Feature>& features,
                    const FeaturePictureOptions& options);

}  // namespace chiaro
