// A transform network as a filter for pictures of any size.
#pragma once
#include <cstdint>
#include <optional>

#include "apps/stylize/memory_budget.hpp"
#include "engine/image/image.hpp"
#include "layers/networks/transform_net/transform_model.hpp"

namespace chiaro {

class PictureStyler {
 public:
  PictureStyler(Context& context, TransformModel model, DType dtype);

  // The styled picture, of the same size and number of channels. RGBA: the network sees the picture on its
  // own mean visible color, so that hidden pixels have no influence and add no edges as a white page would;
  // the result keeps the alpha. The plan and its memory are kept for the next picture of this size. progress:
  // as in Stylizer::run().
  Image style(const Image& picture, const BandedTransformNet::Progress& progress = {});

  // Of the size styled last.
  std::int64_t planned_bytes() const { return stylizer_ ? stylizer_->planned_bytes() : 0; }

  // What this process needs from decoding a picture of one size to encoding a result of another, roughly and
  // rather too much than too little. `source` is larger than `result` where pictures are scaled down.
  std::int64_t needed_bytes(PictureSize source, PictureSize result) const;

  const TransformModel& model() const { return model_; }
  DType dtype() const { return dtype_; }

 private:
  Context& context_;
  TransformModel model_;
  DType dtype_;
  PictureSize size_;
  std::optional<Stylizer> stylizer_;  // for size_
};

}  // namespace chiaro
