// Features of one picture in a loss network: what the commands activations and features share.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "engine/image/image.hpp"
#include "kernels/common/context.hpp"
#include "kernels/common/tensor_view.hpp"

namespace chiaro {

struct FeatureRequest {
  std::string net;      // "vgg19", "vgg16" or "resnet_upproj"
  std::string weights;  // file, or "random" for a VGG
  std::string image;
  std::vector<std::string> layers;
};

// --net, --weights, --image and --layers, all required.
void add_feature_options(CLI::App& command, FeatureRequest& request);

struct Feature {
  std::string layer;
  Shape shape;                // (1,H,W,C)
  std::vector<float> values;  // NHWC, whatever precision they were computed in
};

// The picture as a network sees it: RGB, transparent pixels as on a white page, at its own size.
Image read_feature_picture(const FeatureRequest& request);

// One entry per layer in the order of the request, repetitions left out. Errors: missing picture, missing or
// unsuitable weights, unknown layer (the nearest one is suggested), picture too small for a layer.
std::vector<Feature> compute_features(Context& context, const FeatureRequest& request, const Image& picture,
                                      DType dtype);

}  // namespace chiaro
