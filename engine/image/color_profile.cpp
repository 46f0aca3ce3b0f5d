// Colors of a picture to sRGB, through Little CMS.
#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>
#include <utility>

#include <lcms2.h>

#include "engine/image/decoders.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

struct CloseProfile {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};
struct DeleteTransform {
  void operator()(void* transform) const { cmsDeleteTransform(transform); }
};
struct FreeCurve {
  void operator()(cmsToneCurve* curve) const { cmsFreeToneCurve(curve); }
};
using Profile = std::unique_ptr<std::remove_pointer_t<cmsHPROFILE>, CloseProfile>;
using Transform = std::unique_ptr<std::remove_pointer_t<cmsHTRANSFORM>, DeleteTransform>;
using Curve = std::unique_ptr<cmsToneCurve, FreeCurve>;

constexpr cmsUInt32Number kFlags = cmsFLAGS_COPY_ALPHA | cmsFLAGS_BLACKPOINTCOMPENSATION;

Transform transform_to_srgb(const Profile& from, cmsUInt32Number from_format, cmsUInt32Number to_format) {
  const Profile srgb(cmsCreate_sRGBProfile());
  return Transform(cmsCreateTransform(from.get(), from_format, srgb.get(), to_format,
                                      INTENT_RELATIVE_COLORIMETRIC, kFlags));
}

// True if no color of a coarse grid moves by more than a level: pixels are better left alone then.
bool changes_nothing(const Profile& from) {
  const Transform transform = transform_to_srgb(from, TYPE_RGB_8, TYPE_RGB_8);
  if (!transform) return false;
  for (int color = 0; color < 6 * 6 * 6; ++color) {
    const std::uint8_t in[3] = {static_cast<std::uint8_t>(color % 6 * 51),
                                static_cast<std::uint8_t>(color / 6 % 6 * 51),
                                static_cast<std::uint8_t>(color / 36 * 51)};
    std::uint8_t out[3];
    cmsDoTransform(transform.get(), in, out, 1);
    for (int c = 0; c < 3; ++c)
      if (std::abs(in[c] - out[c]) > 1) return false;
  }
  return true;
}

// The profile that gAMA and cHRM of a PNG describe; null where they are not possible.
Profile described_profile(const Colorimetry& colors) {
  constexpr cmsFloat64Number kSrgbCurve[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
  const bool as_screen = colors.gamma == 0 || std::abs(colors.gamma - 0.45455) < 0.005;
  if (!as_screen && !(colors.gamma > 0.1 && colors.gamma < 4)) return nullptr;
  const Curve curve(as_screen ? cmsBuildParametricToneCurve(nullptr, 4, kSrgbCurve)
                              : cmsBuildGamma(nullptr, 1 / colors.gamma));
  cmsCIExyY white{0.3127, 0.3290, 1};
  cmsCIExyYTRIPLE primaries{{0.64, 0.33, 1}, {0.30, 0.60, 1}, {0.15, 0.06, 1}};
  if (colors.has_primaries) {
    white = {colors.white[0], colors.white[1], 1};
    primaries = {{colors.red[0], colors.red[1], 1},
                 {colors.green[0], colors.green[1], 1},
                 {colors.blue[0], colors.blue[1], 1}};
    if (white.y <= 0 || primaries.Red.y <= 0 || primaries.Green.y <= 0 || primaries.Blue.y <= 0)
      return nullptr;
  }
  cmsToneCurve* curves[3] = {curve.get(), curve.get(), curve.get()};
  return curve ? Profile(cmsCreateRGBProfile(&white, &primaries, curves)) : nullptr;
}

void convert_rgb(Image& image, const Transform& transform) {
  for (std::int64_t y = 0; y < image.height; ++y)
    cmsDoTransform(transform.get(), image.at(y, 0), image.at(y, 0),
                   static_cast<cmsUInt32Number>(image.width));
}

void convert_gray(Image& image, const Transform& transform) {
  const auto width = static_cast<std::size_t>(image.width);
  std::vector<std::uint8_t> gray(width), rgb(3 * width);
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::size_t x = 0; x < width; ++x) gray[x] = *image.at(y, static_cast<std::int64_t>(x));
    cmsDoTransform(transform.get(), gray.data(), rgb.data(), static_cast<cmsUInt32Number>(width));
    for (std::size_t x = 0; x < width; ++x)
      std::copy_n(rgb.data() + 3 * x, 3, image.at(y, static_cast<std::int64_t>(x)));
  }
}

Image convert_inks(const Image& inks, const Transform& transform) {
  Image image(inks.height, inks.width, 3);
  for (std::int64_t y = 0; y < inks.height; ++y) {
    if (transform) {
      cmsDoTransform(transform.get(), inks.at(y, 0), image.at(y, 0),
                     static_cast<cmsUInt32Number>(inks.width));
      continue;
    }
    for (std::int64_t x = 0; x < inks.width; ++x) {
      const std::uint8_t* ink = inks.at(y, x);
      for (int c = 0; c < 3; ++c)
        image.at(y, x)[c] = static_cast<std::uint8_t>((ink[c] * ink[3] + 127) / 255);
    }
  }
  return image;
}

}  // namespace

Image to_srgb(StoredPicture picture, const std::string& name, const DecodeOptions& options) {
  Image& image = picture.pixels;
  const bool cmyk = picture.model == ColorModel::Cmyk;
  Profile profile;
  if (!picture.profile.empty()) {
    profile.reset(
        cmsOpenProfileFromMem(picture.profile.data(), static_cast<cmsUInt32Number>(picture.profile.size())));
  } else if (picture.colors) {
    profile = described_profile(*picture.colors);
  }
  Transform transform;
  const cmsUInt32Number pixels = image.channels == 4 ? TYPE_RGBA_8 : TYPE_RGB_8;
  const cmsColorSpaceSignature space = profile ? cmsGetColorSpace(profile.get()) : cmsSigLabData;
  if (cmyk && space == cmsSigCmykData) {
    transform = transform_to_srgb(profile, TYPE_CMYK_8_REV, TYPE_RGB_8);
  } else if (!cmyk && space == cmsSigRgbData) {
    if (changes_nothing(profile)) return std::move(image);
    transform = transform_to_srgb(profile, pixels, pixels);
    if (transform) convert_rgb(image, transform);
  } else if (picture.model == ColorModel::Gray && space == cmsSigGrayData) {
    transform = transform_to_srgb(profile, TYPE_GRAY_8, TYPE_RGB_8);
    if (transform) convert_gray(image, transform);
  }
  if (!transform && (!picture.profile.empty() || picture.colors))
    note(options, name, "its color profile cannot be used and is ignored");
  return cmyk ? convert_inks(image, transform) : std::move(image);
}

}  // namespace chiaro
