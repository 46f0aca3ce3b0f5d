// Draws a style picture from nothing but arithmetic: brush strokes that follow a field of eddies.
//
// Three layers of strokes, broad to fine, lie on a dark ground. A stroke is a streamline of the field, drawn
// bristle by bristle; every bristle leaves paint of its own shade and a ridge on a height map, which a light
// from the upper left then shades. Drawn at twice the size and reduced, which smooths the edges.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

#include "apps/common/program.hpp"
#include "engine/image/image.hpp"
#include "engine/rng.hpp"

namespace {

struct Vec {
  float x = 0, y = 0;
};
using Color = std::array<float, 3>;

constexpr int kEddies = 7;

// From the calm between the eddies to their hearts.
constexpr std::array<Color, 10> kPalette = {{{16, 20, 62},
                                             {22, 46, 120},
                                             {30, 88, 176},
                                             {24, 130, 170},
                                             {92, 186, 182},
                                             {240, 232, 196},
                                             {250, 204, 72},
                                             {244, 146, 36},
                                             {218, 70, 34},
                                             {140, 24, 50}}};

struct Eddy {
  Vec center;
  float radius, spin;  // spin: +1 or -1
};

struct Brush {
  float spacing, length, width;  // all relative to the side of the picture
};

// Broad strokes first; the fine ones cover only part of them.
constexpr std::array<Brush, 3> kBrushes = {
    {{0.022f, 0.30f, 0.052f}, {0.015f, 0.17f, 0.026f}, {0.019f, 0.08f, 0.012f}}};

class Painter {
 public:
  Painter(std::int64_t side, std::uint64_t seed)
      : side_(side),
        rng_(seed),
        paint_(static_cast<std::size_t>(side * side), kPalette[0]),
        height_(static_cast<std::size_t>(side * side), 0.0f) {
    for (int i = 0; i < kEddies; ++i)
      eddies_.push_back({roomy_place(), 0.09f + 0.10f * draw(), draw() < 0.5f ? -1.0f : 1.0f});
  }

  chiaro::Image paint() {
    for (std::size_t layer = 0; layer < kBrushes.size(); ++layer) draw_layer(layer);
    return lit();
  }

 private:
  float draw() { return rng_.uniform(counter_++); }

  // Of some random places the one farthest from the eddies so far.
  Vec roomy_place() {
    Vec best;
    float best_distance = -1;
    for (int candidate = 0; candidate < 12; ++candidate) {
      const Vec p = {draw(), draw()};
      float distance = 2;
      for (const Eddy& e : eddies_)
        distance = std::min(distance, std::hypot(p.x - e.center.x, p.y - e.center.y));
      if (distance > best_distance) {
        best = p;
        best_distance = distance;
      }
    }
    return best;
  }

  // Smooth noise in [0, 1]: values on a grid, blended by a cubic.
  float noise(Vec p, float cells, std::uint64_t plane) const {
    const float gx = p.x * cells + 64, gy = p.y * cells + 64;
    const float fx = std::floor(gx), fy = std::floor(gy);
    const auto value = [&](float x, float y) {
      return rng_.uniform(1ull << 48 | plane << 40 | static_cast<std::uint64_t>(y) << 20 |
                          static_cast<std::uint64_t>(x));
    };
    const auto ease = [](float t) { return t * t * (3 - 2 * t); };
    const float u = ease(gx - fx), v = ease(gy - fy);
    return std::lerp(std::lerp(value(fx, fy), value(fx + 1, fy), u),
                     std::lerp(value(fx, fy + 1), value(fx + 1, fy + 1), u), v);
  }

  // Direction of the brush at p, length 1: a drifting stream, bent around the eddies.
  Vec direction(Vec p) const {
    const float angle = 0.35f + 2.2f * (noise(p, 3, 0) - 0.5f);
    Vec d = {std::cos(angle), std::sin(angle)};
    for (const Eddy& e : eddies_) {
      const float dx = p.x - e.center.x, dy = p.y - e.center.y, r = std::hypot(dx, dy) + 1e-4f;
      const float pull = 5.0f * std::exp(-(r * r) / (e.radius * e.radius));
      d.x -= pull * e.spin * dy / r;
      d.y += pull * e.spin * dx / r;
    }
    const float length = std::hypot(d.x, d.y) + 1e-6f;
    return {d.x / length, d.y / length};
  }

  // Place on the palette, 0 to 1: rings around the nearest eddy, clouded by noise.
  float tone(Vec p) const {
    float glow = 0;
    for (const Eddy& e : eddies_) {
      const float r = std::hypot(p.x - e.center.x, p.y - e.center.y) / e.radius;
      glow = std::max(glow, (0.66f + 0.14f * std::cos(8.0f * r)) * std::exp(-0.9f * r * r));
    }
    const float clouds = 0.9f * noise(p, 4, 1) + 0.4f * noise(p, 11, 2) - 0.35f;
    return std::clamp(glow + 0.42f * clouds * (1.1f - glow), 0.0f, 1.0f);
  }

  static Color palette(float t) {
    const float place = std::clamp(t, 0.0f, 1.0f) * (kPalette.size() - 1);
    const auto i = std::min(static_cast<std::size_t>(place), kPalette.size() - 2);
    Color c;
    for (int k = 0; k < 3; ++k)
      c[k] = std::lerp(kPalette[i][k], kPalette[i + 1][k], place - static_cast<float>(i));
    return c;
  }

  void draw_layer(std::size_t layer) {
    const Brush& brush = kBrushes[layer];
    const auto across = static_cast<std::int64_t>(1.2f / brush.spacing);
    for (const std::int64_t cell : chiaro::permutation(chiaro::Rng(counter_), across * across)) {
      const Vec p = {(static_cast<float>(cell % across) + draw()) * brush.spacing - 0.1f,
                     (static_cast<float>(cell / across) + draw()) * brush.spacing - 0.1f};
      if (layer == 0 || noise(p, 6, 3 + layer) > 0.38f) draw_stroke(p, brush);
    }
  }

  void draw_stroke(Vec start, const Brush& brush) {
    Color color = palette(tone(start) + 0.16f * (draw() - 0.5f));
    if (draw() < 0.05f) color = palette(draw());  // a stroke of another pot
    const float length = brush.length * (0.6f + 0.6f * draw()), width = brush.width * (0.7f + 0.5f * draw());
    const float step = 0.6f / static_cast<float>(side_);
    const auto bristles = std::max<std::int64_t>(3, static_cast<std::int64_t>(width / step));
    struct Bristle {
      float shade, ridge, begin, end;  // begin, end: share of the stroke where it touches
    };
    std::vector<Bristle> row(static_cast<std::size_t>(bristles));
    const float hairs = 10 + 8 * draw(), phase = 100 * draw();
    for (std::int64_t b = 0; b < bristles; ++b) {
      const float place =
          static_cast<float>(b) / static_cast<float>(bristles - 1);  // 0 to 1 across the brush
      const float hair =
          0.65f * noise({place, phase}, hairs, 8) + 0.35f * noise({place, phase}, 3 * hairs, 9);
      const float edge = 1 - std::pow(std::abs(2 * place - 1), 4.0f);
      row[static_cast<std::size_t>(b)] = {
          0.72f + 0.56f * hair, (0.4f + hair) * edge,
          0.10f * noise({place, phase}, 2 * hairs, 10) + 0.05f * (1 - edge),
          1 - 0.22f * noise({place, phase}, 2 * hairs, 11) - 0.12f * (1 - edge)};
    }
    Vec p = start;
    for (float done = 0; done < length / 2; done += 4 * step) {  // back to where the stroke begins
      const Vec d = direction(p);
      p = {p.x - 4 * step * d.x, p.y - 4 * step * d.y};
    }
    Vec d = direction(p);
    const auto steps = static_cast<std::int64_t>(length / step);
    for (std::int64_t i = 0; i < steps; ++i) {
      if (i % 4 == 0) d = direction(p);
      p = {p.x + step * d.x, p.y + step * d.y};
      const float share = static_cast<float>(i) / static_cast<float>(steps);
      const float relief = width * (1.0f - 0.35f * share);  // the brush runs dry
      for (std::int64_t b = 0; b < bristles; ++b) {
        const Bristle& bristle = row[static_cast<std::size_t>(b)];
        if (share < bristle.begin || share > bristle.end) continue;
        const float offset = (static_cast<float>(b) / static_cast<float>(bristles - 1) - 0.5f) * width;
        deposit({p.x - offset * d.y, p.y + offset * d.x}, color, bristle.shade, bristle.ridge * relief);
      }
    }
  }

  void deposit(Vec p, const Color& color, float shade, float ridge) {
    const auto x = static_cast<std::int64_t>(std::floor(p.x * static_cast<float>(side_)));
    const auto y = static_cast<std::int64_t>(std::floor(p.y * static_cast<float>(side_)));
    if (x < 0 || y < 0 || x >= side_ || y >= side_) return;
    const auto i = static_cast<std::size_t>(y * side_ + x);
    for (int k = 0; k < 3; ++k) paint_[i][k] = std::lerp(paint_[i][k], color[k] * shade, 0.6f);
    height_[i] = std::lerp(height_[i], ridge, 0.6f);
  }

  chiaro::Image lit() const {
    chiaro::Image image(side_, side_, 3);
    for (std::int64_t y = 0; y < side_; ++y) {
      for (std::int64_t x = 0; x < side_; ++x) {
        const auto at = [&](std::int64_t v, std::int64_t u) {
          return height_[static_cast<std::size_t>(std::clamp<std::int64_t>(v, 0, side_ - 1) * side_ +
                                                  std::clamp<std::int64_t>(u, 0, side_ - 1))];
        };
        const float slope = at(y + 1, x + 1) - at(y - 1, x - 1) + 0.5f * (at(y + 1, x) - at(y - 1, x));
        const float light = std::clamp(1.0f + 14.0f * slope, 0.5f, 1.5f);
        const Color& c = paint_[static_cast<std::size_t>(y * side_ + x)];
        for (int k = 0; k < 3; ++k)
          image.at(y, x)[k] = static_cast<std::uint8_t>(std::clamp(c[k] * light, 0.0f, 255.0f));
      }
    }
    return image;
  }

  std::int64_t side_;
  chiaro::Rng rng_;
  std::uint64_t counter_ = 0;
  std::vector<Eddy> eddies_;
  std::vector<Color> paint_;
  std::vector<float> height_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string output;
  std::int64_t size = 512;
  std::uint64_t seed = 1;
  CLI::App app("Draws an abstract style picture: brush strokes along a field of eddies.", "draw_style");
  app.add_option("output", output, "PNG or JPEG file to write")->required()->type_name("OUT.png");
  app.add_option("--size", size, "height and width in pixels")
      ->capture_default_str()
      ->check(CLI::Range(64, 4096));
  app.add_option("--seed", seed, "every seed gives another picture")->capture_default_str();
  return chiaro::run_program(app, argc, argv, [&] {
    const chiaro::Image image = Painter(2 * size, seed).paint();
    chiaro::encode_image(output, chiaro::resize(image, size, size));
    return 0;
  });
}
