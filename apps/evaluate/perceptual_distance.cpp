#include "apps/evaluate/perceptual_distance.hpp"

#include <cmath>
#include <limits>
#include <numeric>

#include "engine/transfer.hpp"
#include "layers/gram_loss_layers.hpp"

namespace chiaro {

namespace {

double mean_squared_difference(const std::vector<float>& a, const std::vector<float>& b) {
  require(a.size() == b.size(), "features of {} and {} values cannot be compared", a.size(), b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    sum += difference * difference;
  }
  return sum / static_cast<double>(a.size());
}

double quotient(double a, double b) {
  return b > 0 ? a / b : std::numeric_limits<double>::quiet_NaN();
}

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

std::vector<std::string> with(std::vector<std::string> layers, const std::string& layer) {
  layers.push_back(layer);
  return layers;
}

}  // namespace

Image cover(const Image& image, std::int64_t height, std::int64_t width) {
  const double scale = std::max(static_cast<double>(height) / static_cast<double>(image.height),
                                static_cast<double>(width) / static_cast<double>(image.width));
  const auto scaled = [&](std::int64_t side, std::int64_t wanted) {
    return std::max<std::int64_t>(wanted, std::llround(static_cast<double>(side) * scale));
  };
  const Image large = resize(image, scaled(image.height, height), scaled(image.width, width));
  return crop(large, (large.height - height) / 2, (large.width - width) / 2, height, width);
}

PerceptualJudge::PerceptualJudge(Context& context, const WeightsFile& vgg, const std::string& file,
                                 Image style, std::vector<std::string> style_layers,
                                 std::string content_layer, DType dtype)
    : context_(context),
      network_(context, vgg, file, with(style_layers, content_layer), dtype),
      style_(std::move(style)),
      style_layers_(std::move(style_layers)),
      content_layer_(std::move(content_layer)),
      style_grams_(features_of(style_).grams) {}

PerceptualJudge::Features PerceptualJudge::features_of(const Image& picture) {
  const auto& features = network_.features(picture);
  Features result;
  for (const auto& layer : style_layers_) {
    const Buffer gram = gram_matrix(context_, features.at(layer));
    result.grams.push_back(read_tensor(context_, {gram.data(), DType::F32, {1, 1, 1, gram.bytes() / 4}}));
  }
  result.content = read_tensor(context_, features.at(content_layer_));
  return result;
}

std::vector<double> PerceptualJudge::style_distances(const Features& found) const {
  std::vector<double> distances;
  for (std::size_t i = 0; i < style_grams_.size(); ++i)
    distances.push_back(mean_squared_difference(found.grams[i], style_grams_[i]));
  return distances;
}

void PerceptualJudge::set_photo(const Image& photo) {
  photo_ = features_of(photo);
  photo_style_ = style_distances(photo_);
  if (const PictureSize size{photo.height, photo.width}; size != cropped_size_) {
    cropped_content_ = features_of(cover(style_, photo.height, photo.width)).content;
    cropped_size_ = size;
  }
  photo_content_ = mean_squared_difference(cropped_content_, photo_.content);
}

PerceptualDistance PerceptualJudge::distance(const Image& stylized) {
  const Features found = features_of(stylized);
  PerceptualDistance result;
  result.layers_raw = style_distances(found);
  for (std::size_t i = 0; i < result.layers_raw.size(); ++i)
    result.layers.push_back(quotient(result.layers_raw[i], photo_style_[i]));
  result.style_raw = sum_of(result.layers_raw);
  result.style = quotient(result.style_raw, sum_of(photo_style_));
  result.content_raw = mean_squared_difference(found.content, photo_.content);
  result.content = quotient(result.content_raw, photo_content_);
  return result;
}

}  // namespace chiaro
