#include "apps/stylize/picture_styler.hpp"

#include <algorithm>
#include <array>

namespace chiaro {
namespace {

// Program, libraries, library kernels and the allocator's slack.
constexpr std::int64_t kProcessBytes = 96 << 20;
// cuDNN's and cuBLAS's own memory: code that they load and workspaces that they keep.
constexpr std::int64_t kLibraryBytesOnGpu = 512 << 20;
// Copies of the parameters: as read, in the store, and packed for the kernels.
constexpr std::int64_t kParameterCopies = 4;
// The decoders and encoders of engine/image at their worst (16-bit PNG in, PNG out), picture included.
constexpr std::int64_t kCodecBytesPerPixel = 24;

std::array<std::int64_t, 3> mean_visible_color(const Image& rgba) {
  std::array<std::int64_t, 3> sum{};
  std::int64_t alpha = 0;
  for (std::size_t p = 0; p < rgba.pixels.size(); p += 4) {
    for (std::size_t c = 0; c < 3; ++c) sum[c] += rgba.pixels[p + c] * rgba.pixels[p + 3];
    alpha += rgba.pixels[p + 3];
  }
  if (alpha == 0) return {255, 255, 255};
  for (auto& s : sum) s = (s + alpha / 2) / alpha;
  return sum;
}

Image on_color(const Image& rgba, const std::array<std::int64_t, 3>& color) {
  Image rgb(rgba.height, rgba.width, 3);
  for (std::size_t p = 0; p < rgba.pixels.size() / 4; ++p) {
    const std::uint8_t* in = &rgba.pixels[4 * p];
    for (std::size_t c = 0; c < 3; ++c)
      rgb.pixels[3 * p + c] =
          static_cast<std::uint8_t>((in[c] * in[3] + color[c] * (255 - in[3]) + 127) / 255);
  }
  return rgb;
}

Image with_alpha_of(const Image& rgb, const Image& rgba) {
  Image result(rgb.height, rgb.width, 4);
  for (std::size_t p = 0; p < rgb.pixels.size() / 3; ++p) {
    std::copy_n(&rgb.pixels[3 * p], 3, &result.pixels[4 * p]);
    result.pixels[4 * p + 3] = rgba.pixels[4 * p + 3];
  }
  return result;
}

}  // namespace

PictureStyler::PictureStyler(Context& context, TransformModel model, DType dtype)
    : context_(context), model_(std::move(model)), dtype_(dtype) {}

Image PictureStyler::style(const Image& picture, const BandedTransformNet::Progress& progress) {
  if (picture.channels == 4)
    return with_alpha_of(style(on_color(picture, mean_visible_color(picture)), progress), picture);
  if (const PictureSize size{picture.height, picture.width}; !stylizer_ || size != size_) {
    stylizer_.reset();  // before the next one allocates
    stylizer_.emplace(context_, *model_.params, model_.config, size.height, size.width, dtype_);
    size_ = size;
  }
  Image result(picture.height, picture.width, 3);
  stylizer_->run(picture.pixels.data(), result.pixels.data(), progress);
  return result;
}

std::int64_t PictureStyler::needed_bytes(PictureSize source, PictureSize result) const {
  const std::int64_t pixels = std::max(source.height * source.width, result.height * result.width);
  const std::int64_t network =
      Stylizer::estimate_bytes(context_, model_.config, result.height, result.width, dtype_);
  // On a GPU its memory is what runs out; of the picture it holds the bytes, going in and coming out.
  if (context_.device() == Device::Cuda)
    return kLibraryBytesOnGpu + kParameterCopies * 4 * model_.params->parameter_count() + 6 * pixels +
           network;
  return kProcessBytes + kParameterCopies * 4 * model_.params->parameter_count() +
         kCodecBytesPerPixel * pixels + network;
}

}  // namespace chiaro
