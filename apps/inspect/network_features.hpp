// Features of one picture in a network: what the commands activations and features share.
#pragma once
#include <string>
#include <vector>

#include "engine/image/image.hpp"
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace CLI {
class App;
}

namespace chiaro {

struct FeatureRequest {
  std::string net;      // "vgg19", "vgg16", "resnet_upproj" or "transform_net"
  std::string weights;  // file, "compact", or "random" for a VGG
  std::string image;
  // Of a transform network: names of its nodes ("conv1", "res2.norm1", ...; norms with the border that the
  // next convolution reads), and "output".
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
