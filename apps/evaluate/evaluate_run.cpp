#include "apps/evaluate/evaluate_run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <new>
#include <numeric>
#include <tuple>

#include "apps/common/loss_weights.hpp"
#include "apps/evaluate/depth_estimator.hpp"
#include "apps/evaluate/depth_metrics.hpp"
#include "apps/evaluate/evaluation.hpp"
#include "apps/evaluate/perceptual_distance.hpp"
#include "apps/evaluate/sheet.hpp"
#include "apps/evaluate/structural_similarity.hpp"
#include "apps/training/config.hpp"
#include "engine/data/photo_list.hpp"
#include "engine/file_util.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

namespace {

namespace fs = std::filesystem;

struct Photo {
  std::string file;
  PictureSize size;  // at which it is judged
};

std::vector<std::string> list_inputs(const std::vector<std::string>& inputs) {
  std::vector<std::string> files;
  for (const auto& input : inputs) {
    if (!fs::exists(input)) throw Error("{}: no such file or folder", input);
    const auto found = fs::is_directory(input) ? list_photos({input}) : std::vector<std::string>{input};
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

// Pictures of a folder are found by their stem, which must then mean one photo.
void require_distinct_stems(const std::vector<std::string>& files) {
  std::map<std::string, std::string> stems;
  for (const auto& file : files)
    if (const auto [other, fresh] = stems.emplace(fs::path(file).stem().string(), file); !fresh)
      throw Error("{} and {}: photos of one name; with --styled every photo needs its own", other->second,
                  file);
}

Photo check(const std::string& file, std::int64_t long_side) {
  const ImageInfo info = probe_image(file);
  const PictureSize own{info.height, info.width};
  const PictureSize size = long_side > 0 ? scaled_to(own, long_side) : own;
  if (std::min({own.height, own.width, size.height, size.width}) < kSmallestPicture)
    throw Error("{}: {}x{} pixels{} are too few; at least {}x{} are needed", file, info.width, info.height,
                std::min(own.height, own.width) < kSmallestPicture
                    ? ""
                    : fmt::format(", judged as {}x{},", size.width, size.height),
                kSmallestPicture, kSmallestPicture);
  return {file, size};
}

Image read_style(const EvaluateOptions& options) {
  const Image style = flatten_alpha(decode_image(options.style));
  const PictureSize own{style.height, style.width};
  const PictureSize size = options.style_size > 0 ? scaled_to(own, options.style_size) : own;
  if (std::min(size.height, size.width) < kSmallestPicture)
    throw Error("{}: the style picture is {}x{} pixels, at least {}x{} are needed", options.style, size.width,
                size.height, kSmallestPicture, kSmallestPicture);
  return resize(style, size.height, size.width);
}

void require_something_to_measure(const EvaluateOptions& options) {
  if (options.candidates.empty()) throw Error("nothing to evaluate: give --model or --styled at least once");
  if (options.depth.empty() && (options.style.empty() || options.vgg19.empty()))
    throw Error("nothing to measure with: give --depth, or --style and --vgg19, or all three");
}

class Evaluator {
 public:
  explicit Evaluator(const EvaluateOptions& options)
      : options_(options), context_(make_context(options.common)) {
    const DType dtype = choose_precision(context_, options.common.precision);
    if (!options.depth.empty())
      depth_.emplace(context_, options.depth, dtype);
    else
      say(stdout, "no --depth: depth preservation is left out\n");
    if (!options.style.empty() && !options.vgg19.empty())
      judge_.emplace(context_, load_loss_weights(options.vgg19, "vgg19"), options.vgg19, read_style(options),
                     options.style_layers, options.content_layer, dtype);
    else
      say(stdout, "no {}: style and content distances are left out\n",
          options.style.empty() ? "--style" : "--vgg19");
    for (const auto& spec : options.candidates) candidates_.emplace_back(context_, spec, dtype);
    precision_ = precision_name(context_, dtype);
  }

  std::map<std::string, std::string> settings() const {
    std::map<std::string, std::string> settings{{"command", options_.command},
                                                {"device", context_.description()},
                                                {"precision", precision_},
                                                {"size", std::to_string(options_.size)}};
    if (depth_) {
      settings["depth"] = options_.depth;
      settings["median_scaling"] = options_.median_scaling ? "true" : "false";
    }
    if (judge_) {
      settings["style"] = options_.style;
      settings["style_size"] = std::to_string(options_.style_size);
      settings["vgg19"] = options_.vgg19;
      settings["content_layer"] = options_.content_layer;
    }
    return settings;
  }

  // Measures and pictures of one photo.
  std::pair<PictureResult, SheetRow> judge(const Photo& photo) {
    const Image picture =
        resize(flatten_alpha(decode_image(photo.file)), photo.size.height, photo.size.width);
    PictureResult result{photo.file, photo.size.height, photo.size.width, {}};
    SheetRow row{fs::path(photo.file).filename().string(), picture, {}, {}};
    for (auto& candidate : candidates_)
      row.candidates.push_back({candidate.spec().name, candidate.stylize(picture, photo.file), {}, {}});
    if (depth_) row.depth = depth_->estimate(picture);
    if (judge_) judge_->set_photo(picture);
    const LostPixels lost_in_photo = lost_pixels(picture);
    for (auto& candidate : row.candidates) {
      Measurement& found = candidate.measurement;
      if (depth_) {
        candidate.depth = depth_->estimate(candidate.stylized);
        found.depth = compare_depth(*row.depth, *candidate.depth, {{}, options_.median_scaling});
      }
      if (judge_) found.perceptual = judge_->distance(candidate.stylized);
      found.gray_ssim = gray_similarity(picture, candidate.stylized).value;
      const LostPixels lost = lost_pixels(candidate.stylized);
      found.white = std::max(0.0, lost.white - lost_in_photo.white);
      found.black = std::max(0.0, lost.black - lost_in_photo.black);
      result.measurements.push_back(found);
    }
    return {std::move(result), std::move(row)};
  }

  bool measures_style() const { return judge_.has_value(); }

 private:
  const EvaluateOptions& options_;
  Context context_;
  std::optional<DepthEstimator> depth_;
  std::optional<PerceptualJudge> judge_;
  std::vector<Candidate> candidates_;
  std::string precision_;
};

// Runs a step for one photo; when it throws, says why and notes it.
template <class Step>
void attempt(const std::string& file, std::vector<SkippedPicture>& skipped, Step&& step) {
  std::string reason;
  try {
    return step();
  } catch (const std::bad_alloc&) {
    reason = file + ": out of memory";
  } catch (const std::exception& error) {
    reason = error.what();
    if (reason.find(file) == std::string::npos) reason = file + ": " + reason;
  }
  say(stderr, "evaluate_engine: {}\n", reason);
  skipped.push_back({file, reason});
}

// Indices, photos of one size beside each other: they share plans and memory.
std::vector<std::size_t> by_size(const std::vector<Photo>& photos) {
  std::vector<std::size_t> order(photos.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const PictureSize &first = photos[a].size, &second = photos[b].size;
    return std::tie(first.height, first.width) < std::tie(second.height, second.width);
  });
  return order;
}

}  // namespace

int evaluate(const EvaluateOptions& options) {
  require_something_to_measure(options);
  require_distinct_names(options.candidates);
  const std::vector<std::string> files = list_inputs(options.inputs);
  if (std::any_of(options.candidates.begin(), options.candidates.end(),
                  [](const auto& spec) { return spec.kind == CandidateSpec::Kind::Folder; }))
    require_distinct_stems(files);
  if (fs::exists(options.output) && !fs::is_directory(options.output))
    throw Error("{}: is a file, expected a folder", options.output);
  Evaluator evaluator(options);
  fs::create_directories(options.output);

  Evaluation evaluation{.candidates = options.candidates, .settings = evaluator.settings()};
  if (evaluator.measures_style()) evaluation.style_layers = options.style_layers;
  std::vector<Photo> photos;
  for (const auto& file : files)
    attempt(file, evaluation.skipped, [&] { photos.push_back(check(file, options.size)); });

  std::map<std::size_t, PictureResult> results;  // by the place of the photo
  std::map<std::size_t, SheetRow> rows;          // of the first few
  std::size_t done = 0;
  for (const std::size_t i : by_size(photos)) {
    attempt(photos[i].file, evaluation.skipped, [&] {
      auto [result, row] = evaluator.judge(photos[i]);
      results.emplace(i, std::move(result));
      rows.emplace(i, std::move(row));
      if (rows.size() > static_cast<std::size_t>(options.sheet)) rows.erase(std::prev(rows.end()));
    });
    if (isatty(STDERR_FILENO)) say(stderr, "\r{} of {} photos\r", ++done, photos.size());
  }
  if (results.empty()) throw Error("none of the {} photos could be judged", files.size());
  for (auto& [place, result] : results) evaluation.pictures.push_back(std::move(result));

  const std::string json = (fs::path(options.output) / "evaluation.json").string();
  const std::string sheet = (fs::path(options.output) / "sheet.jpg").string();
  write_text(json, json_of(evaluation));
  say(stdout, "\nmeans over {} photos\n", evaluation.pictures.size());
  say_text(stdout, table_of(evaluation));
  say(stdout, "\n{}\n", json);
  if (!rows.empty()) {
    std::vector<SheetRow> shown;
    for (auto& [place, row] : rows) shown.push_back(std::move(row));
    encode_image(sheet, draw_sheet(shown));
    say(stdout, "{}\n", sheet);
  }
  if (!evaluation.skipped.empty())
    say(stderr, "evaluate_engine: {} of {} photos were left out; the reasons are above\n",
        evaluation.skipped.size(), files.size());
  return evaluation.skipped.empty() ? 0 : 1;
}

}  // namespace chiaro
