// Results of an evaluation: numbers per picture and candidate, their means, as a table and as JSON.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/evaluate/candidate.hpp"
#include "apps/evaluate/depth_metrics.hpp"
#include "apps/evaluate/perceptual_distance.hpp"

namespace chiaro {

// Of one stylized picture.
struct Measurement {
  std::optional<DepthMetrics> depth;
  std::optional<PerceptualDistance> perceptual;
  double gray_ssim = 0;         // of the photo and the stylized picture, see gray_similarity()
  double white = 0, black = 0;  // shares of pixels that are blown or blacked out, beyond the photo's own
};

// Shares of an RGB picture's pixels.
struct LostPixels {
  double white = 0, black = 0;  // all channels 250 or more; all 5 or less
};
LostPixels lost_pixels(const Image& picture);

struct PictureResult {
  std::string photo;
  std::int64_t height = 0, width = 0;     // at which it was judged
  std::vector<Measurement> measurements;  // in the order of the candidates
};

struct SkippedPicture {
  std::string photo, reason;
};

struct Evaluation {
  std::vector<CandidateSpec> candidates;
  std::vector<PictureResult> pictures;
  std::vector<SkippedPicture> skipped;
  std::vector<std::string> style_layers;        // empty without style distances
  std::map<std::string, std::string> settings;  // what the numbers depend on, for the JSON file
};

struct NamedValue {
  std::string name;
  double value;  // NaN: not defined
};

// Everything that was measured, under the names of the JSON file.
std::vector<NamedValue> values_of(const Measurement& measurement,
                                  const std::vector<std::string>& style_layers);

// Arithmetic means over the pictures where a value is defined (NaN where it is in none), for one candidate.
std::vector<NamedValue> mean_values(const Evaluation& evaluation, std::size_t candidate);

// The means as text, a line per candidate.
std::string table_of(const Evaluation& evaluation);

// {"chiaro", "settings", "means", "pictures", "skipped"}; what is not defined is null.
std::string json_of(const Evaluation& evaluation);

}  // namespace chiaro
