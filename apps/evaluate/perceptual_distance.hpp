// How far a stylized picture y is from the style picture s and from its photo x, seen by a VGG.
//   style, per layer   d(y) = mean over C^2 of (G(y) - G(s))^2,  G = F^T F / (H W C)
//   content            e(y) = mean over H W C of (F(y) - F(x))^2
// These are the raw terms of the training loss, with layer weights of 1 (layers/loss_layers.hpp). Relative:
// d(y) / d(x), so 1 = as far as the photo itself, 0 = the style picture's statistics; over all layers the
// sums are divided. e(y) / e(s), so 0 = the photo, 1 = as far from it as the style picture, scaled and
// cropped to the photo's size. s is seen at its own size for G. Gram matrices in fp32, all else in double.
// Deterministic. A quotient by zero is NaN.
#pragma once
#include <string>
#include <vector>

#include "apps/evaluate/feature_extractor.hpp"

namespace chiaro {

struct PerceptualDistance {
  double style = 0, style_raw = 0;
  std::vector<double> layers, layers_raw;  // style, in the order of the layers
  double content = 0, content_raw = 0;
};

class PerceptualJudge {
 public:
  PerceptualJudge(Context& context, const WeightsFile& vgg, const std::string& file, Image style,
                  std::vector<std::string> style_layers, std::string content_layer, DType dtype);

  // The photo that the following pictures are compared with. RGB.
  void set_photo(const Image& photo);
  // RGB, of the photo's size.
  PerceptualDistance distance(const Image& stylized);

  const std::vector<std::string>& style_layers() const { return style_layers_; }

 private:
  struct Features {
    std::vector<std::vector<float>> grams;
    std::vector<float> content;
  };
  Features features_of(const Image& picture);
  std::vector<double> style_distances(const Features& found) const;

  Context& context_;
  FeatureExtractor network_;
  Image style_;
  std::vector<std::string> style_layers_;
  std::string content_layer_;
  std::vector<std::vector<float>> style_grams_;
  PictureSize cropped_size_;
  std::vector<float> cropped_content_;  // of the style picture at cropped_size_

  Features photo_;
  std::vector<double> photo_style_;
  double photo_content_ = 0;
};

// Scaled so that it covers the size, and the middle cut out.
Image cover(const Image& image, std::int64_t height, std::int64_t width);

}  // namespace chiaro
