#include "apps/evaluate/color_map.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace chiaro {

namespace {

constexpr double kWhiteX = 0.95047, kWhiteZ = 1.08883;  // D65, Y = 1
constexpr double kKnee = 6.0 / 29;                      // where the cube root of CIELAB becomes a line
constexpr int kSteps = 256;

using Curve = std::vector<Lab>;  // kSteps + 1 points

double distance(const Lab& a, const Lab& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

Lab between(const Lab& a, const Lab& b, double part) {
  return {std::lerp(a[0], b[0], part), std::lerp(a[1], b[1], part), std::lerp(a[2], b[2], part)};
}

// The same line with its points at equal distances.
Curve evenly_spaced(const Curve& curve) {
  std::vector<double> length{0};
  for (std::size_t i = 1; i < curve.size(); ++i)
    length.push_back(length.back() + distance(curve[i - 1], curve[i]));
  Curve even;
  std::size_t at = 1;
  for (int i = 0; i <= kSteps; ++i) {
    const double wanted = length.back() * i / kSteps;
    while (at + 1 < curve.size() && length[at] < wanted) ++at;
    even.push_back(
        between(curve[at - 1], curve[at], (wanted - length[at - 1]) / (length[at] - length[at - 1])));
  }
  return even;
}

// A Bezier curve through the inside of the sRGB gamut, from yellow to violet. Its control points are as far
// out as the gamut allows at lightness 92 to 15, which falls in a straight line.
Curve depth_curve() {
  constexpr std::array<Lab, 4> control{{{92, -14, 80}, {66, -78, 8}, {40, 18, -62}, {15, 28, -36}}};
  constexpr int kFine = 16 * kSteps;
  Curve fine;
  for (int i = 0; i <= kFine; ++i) {
    const double t = static_cast<double>(i) / kFine;
    std::array<Lab, 4> p = control;  // de Casteljau
    for (std::size_t left = 3; left > 0; --left)
      for (std::size_t k = 0; k < left; ++k) p[k] = between(p[k], p[k + 1], t);
    fine.push_back(p[0]);
  }
  return evenly_spaced(fine);
}

Curve difference_curve() {
  constexpr double kDegree = 3.14159265358979323846 / 180;
  constexpr double kChroma = 42, kDarkest = 45, kLightest = 96, kBlue = 270 * kDegree, kRed = 35 * kDegree;
  const auto end = [&](double hue) {
    return Lab{kDarkest, kChroma * std::cos(hue), kChroma * std::sin(hue)};
  };
  constexpr Lab kMiddle{kLightest, 0, 0};
  Curve curve;
  for (int i = 0; i <= kSteps; ++i) {
    const double side = 2.0 * i / kSteps - 1;
    curve.push_back(between(kMiddle, end(side < 0 ? kBlue : kRed), std::abs(side)));
  }
  return curve;
}

std::vector<Rgb> table_of(const Curve& curve) {
  std::vector<Rgb> table;
  for (const Lab& lab : curve) {
    const auto rgb = lab_to_srgb(lab);
    Rgb bytes;
    for (std::size_t c = 0; c < 3; ++c)
      bytes[c] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(rgb[c], 0.0, 1.0)));
    table.push_back(bytes);
  }
  return table;
}

}  // namespace

std::array<double, 3> lab_to_srgb(const Lab& lab) {
  const double fy = (lab[0] + 16) / 116, fx = fy + lab[1] / 500, fz = fy - lab[2] / 200;
  const auto linear = [](double f) { return f > kKnee ? f * f * f : 3 * kKnee * kKnee * (f - 4.0 / 29); };
  const double x = kWhiteX * linear(fx), y = linear(fy), z = kWhiteZ * linear(fz);
  const auto encoded = [](double v) {
    return v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055;
  };
  return {encoded(3.2404542 * x - 1.5371385 * y - 0.4985314 * z),
          encoded(-0.9692660 * x + 1.8760108 * y + 0.0415560 * z),
          encoded(0.0556434 * x - 0.2040259 * y + 1.0572252 * z)};
}

Lab srgb_to_lab(const std::array<double, 3>& rgb) {
  std::array<double, 3> v;
  for (std::size_t c = 0; c < 3; ++c)
    v[c] = rgb[c] <= 0.04045 ? rgb[c] / 12.92 : std::pow((rgb[c] + 0.055) / 1.055, 2.4);
  const auto f = [](double t) {
    return t > kKnee * kKnee * kKnee ? std::cbrt(t) : t / (3 * kKnee * kKnee) + 4.0 / 29;
  };
  const double fx = f((0.4124564 * v[0] + 0.3575761 * v[1] + 0.1804375 * v[2]) / kWhiteX);
  const double fy = f(0.2126729 * v[0] + 0.7151522 * v[1] + 0.0721750 * v[2]);
  const double fz = f((0.0193339 * v[0] + 0.1191920 * v[1] + 0.9503041 * v[2]) / kWhiteZ);
  return {116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)};
}

Rgb color_of(ColorMap map, double value) {
  static const std::vector<Rgb> kDepth = table_of(depth_curve());
  static const std::vector<Rgb> kDifference = table_of(difference_curve());
  const auto step = static_cast<std::size_t>(std::lround(kSteps * std::clamp(value, 0.0, 1.0)));
  return (map == ColorMap::Depth ? kDepth : kDifference)[step];
}

}  // namespace chiaro
