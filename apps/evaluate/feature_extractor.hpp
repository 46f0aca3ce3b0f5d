// A frozen network that looks at one picture after another.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/stylize/memory_budget.hpp"
#include "engine/image/image.hpp"
#include "engine/session.hpp"
#include "layers/networks/loss_network.hpp"

namespace chiaro {

class FeatureExtractor {
 public:
  // Errors: those of LossNetwork::load().
  FeatureExtractor(Context& context, const WeightsFile& weights, const std::string& file,
                   std::vector<std::string> features, DType dtype);

  // The features of an RGB picture, one (1,H,W,C) tensor each, valid until the next call. The plan and its
  // memory are kept for the next picture of this size. Error: too small a picture.
  const std::map<std::string, ConstTensorView>& features(const Image& picture);

 private:
  Context& context_;
  std::unique_ptr<LossNetwork> network_;
  std::vector<std::string> features_;
  DType dtype_;
  PictureSize size_;
  TensorId input_ = -1;
  std::optional<Session> session_;  // for size_
  std::map<std::string, ConstTensorView> views_;
};

}  // namespace chiaro
