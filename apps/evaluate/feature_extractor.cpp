#include "apps/evaluate/feature_extractor.hpp"

#include <algorithm>

#include "engine/transfer.hpp"

namespace chiaro {

FeatureExtractor::FeatureExtractor(Context& context, const WeightsFile& weights, const std::string& file,
                                   std::vector<std::string> features, DType dtype)
    : context_(context),
      network_(LossNetwork::load(weights, file, features)),
      features_(std::move(features)),
      dtype_(dtype) {}

const std::map<std::string, ConstTensorView>& FeatureExtractor::features(const Image& picture) {
  require(picture.channels == 3, "features of a picture with {} channels, expected RGB", picture.channels);
  if (const PictureSize size{picture.height, picture.width}; !session_ || size != size_) {
    session_.reset();  // before the next one allocates
    views_.clear();
    Graph graph(context_);
    input_ = graph.add_input("picture", {{1, picture.height, picture.width, 3}, DType::F32});
    const auto ids = network_->build(graph, input_, dtype_, features_, "");
    for (const auto& [name, id] : ids) graph.keep(id);
    session_.emplace(std::move(graph), SessionOptions{});
    for (const auto& [name, id] : ids) views_[name] = session_->tensor(id);
    size_ = size;
  }
  write_picture(context_, session_->tensor(input_), picture.pixels);
  session_->forward();
  return views_;
}

}  // namespace chiaro
