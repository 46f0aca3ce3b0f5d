#include "apps/evaluate/candidate.hpp"

#include <cmath>
#include <filesystem>
#include <set>

#include "apps/common/model_path.hpp"
#include "apps/training/checkpoint_model.hpp"
#include "engine/data/photo_list.hpp"

namespace chiaro {

namespace {

namespace fs = std::filesystem;

constexpr double kShapeTolerance = 0.03;  // some networks round sizes to a multiple of 4 pixels

std::string default_name(const fs::path& path, CandidateSpec::Kind kind) {
  const fs::path whole = fs::weakly_canonical(path);
  if (kind == CandidateSpec::Kind::Folder) return whole.filename().string();
  const bool is_run_result = whole.filename() == "model.h5" && whole.has_parent_path();
  return is_run_result ? whole.parent_path().filename().string() : whole.stem().string();
}

}  // namespace

CandidateSpec parse_candidate(const std::string& text, CandidateSpec::Kind kind) {
  const bool is_model = kind == CandidateSpec::Kind::Model;
  const char* option = is_model ? "--model" : "--styled";
  CandidateSpec spec{"", text, kind};
  if (const auto sign = text.find('='); sign != std::string::npos && !fs::exists(text)) {
    spec.name = text.substr(0, sign);
    spec.path = text.substr(sign + 1);
    if (spec.name.empty() || spec.path.empty())
      throw Error("{} {}: expected NAME={}", option, text, is_model ? "FILE" : "FOLDER");
  }
  std::string style;
  if (const auto sign = spec.path.rfind('@');
      is_model && sign != std::string::npos && !fs::exists(spec.path)) {
    style = spec.path.substr(sign + 1);
    spec.path = spec.path.substr(0, sign);
    spec.style = parse_style_shares(style);
  }
  if (is_model)
    spec.path = find_model(spec.path, shipped_models()).string();
  else if (!fs::is_directory(spec.path))
    throw Error("--styled {}: {}", spec.path, fs::exists(spec.path) ? "is not a folder" : "no such folder");
  if (spec.name.empty()) spec.name = default_name(spec.path, kind) + (style.empty() ? "" : "@" + style);
  return spec;
}

void require_distinct_names(const std::vector<CandidateSpec>& specs) {
  std::set<std::string> names;
  for (const auto& spec : specs)
    if (!names.insert(spec.name).second)
      throw Error("two are called '{}'; give them names: --model NAME={}", spec.name, spec.path);
}

Candidate::Candidate(Context& context, CandidateSpec spec, DType dtype) : spec_(std::move(spec)) {
  if (spec_.kind == CandidateSpec::Kind::Model)
    styler_ = std::make_unique<PictureStyler>(
        context, make_transform_model(load_style_network(spec_.path), spec_.path, spec_.style), dtype);
  else
    for (const auto& path : list_photos({spec_.path}))
      pictures_.emplace(fs::path(path).stem().string(), path);
}

Image Candidate::stylize(const Image& photo, const std::string& photo_file) {
  if (styler_) return styler_->style(photo);
  const std::string stem = fs::path(photo_file).stem().string();
  const auto count = pictures_.count(stem);
  if (count != 1)
    throw Error("{}: {} pictures called '{}' in {}, expected one", photo_file, count, stem, spec_.path);
  const std::string& file = pictures_.find(stem)->second;
  const Image picture = flatten_alpha(decode_image(file));
  const auto ratio = [](const Image& image) {
    return static_cast<double>(image.width) / static_cast<double>(image.height);
  };
  if (std::abs(std::log(ratio(picture) / ratio(photo))) > kShapeTolerance)
    throw Error("{}: {}x{} pixels do not have the shape of {} ({}x{})", file, picture.width, picture.height,
                photo_file, photo.width, photo.height);
  return resize(picture, photo.height, photo.width);
}

}  // namespace chiaro
