#include "apps/training/run_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/common/progress_line.hpp"
#include "engine/file_util.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

namespace fs = std::filesystem;

namespace {

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw Error("{}: the folder cannot be made: {}", path.string(), error.message());
}

std::int64_t iteration_of(const fs::path& file) {
  const std::string stem = file.stem().string();
  std::int64_t number = 0;
  if (std::from_chars(stem.data(), stem.data() + stem.size(), number).ec != std::errc())
    throw Error("{}: its number is beyond every iteration, so it is not of this run; remove it",
                file.string());
  return number;
}

// A line of metrics.jsonl; Error for what is none. where: "metrics.jsonl:7", for messages.
nlohmann::json metrics_line(const std::string& line, const std::string& where) {
  auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) throw Error("{}: is not a line of metrics; remove it", where);
  if (!json.contains("iteration") || !json["iteration"].is_number_integer())
    throw Error("{}: 'iteration' is {}, expected an integer; remove the line", where,
                escaped(json.value("iteration", nlohmann::json()).dump(-1, ' ', true)));
  return json;
}

// Files NNNNNN.extension, by number; anything else in the folder (temporaries of a killed run) is not ours.
std::vector<fs::path> numbered_files(const fs::path& folder, const std::string& extension) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string stem = entry.path().stem().string();
    const bool digits =
        !stem.empty() && std::all_of(stem.begin(), stem.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (digits && entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return iteration_of(a) < iteration_of(b); });
  return files;
}

}  // namespace

void RunFolder::require_new(const std::string& path) {
  const RunFolder folder{fs::path(path)};
  if (fs::exists(folder.metrics_file()) || !folder.checkpoints().empty())
    throw Error("{0}: already holds a run; continue it with --resume {0} or choose another train.out", path);
}

RunFolder RunFolder::create(const TrainConfig& config) {
  require_new(config.train.out);
  RunFolder folder{fs::path(config.train.out)};
  make_folder(folder.path_ / "previews");
  make_folder(folder.path_ / "checkpoints");
  write_text(folder.config_file(), to_toml(config));
  return folder;
}

RunFolder RunFolder::open(const fs::path& path) {
  RunFolder folder{fs::absolute(path / "").lexically_normal().parent_path()};
  if (!fs::is_directory(path)) throw Error("{}: no such run folder", path.string());
  if (!fs::exists(folder.config_file()))
    throw Error("{}: not the folder of a run: it has no config.toml", path.string());
  return folder;
}

fs::path RunFolder::preview_file(std::int64_t iteration) const {
  return path_ / "previews" / fmt::format("{:06}.png", iteration);
}

fs::path RunFolder::checkpoint_file(std::int64_t iteration) const {
  return path_ / "checkpoints" / fmt::format("{:06}.h5", iteration);
}

std::vector<fs::path> RunFolder::checkpoints() const {
  return numbered_files(path_ / "checkpoints", ".h5");
}

std::vector<fs::path> RunFolder::previews() const {
  return numbered_files(path_ / "previews", ".png");
}

void RunFolder::prune_checkpoints(std::int64_t newest, std::int64_t keep) const {
  auto files = checkpoints();
  std::erase_if(files, [&](const fs::path& file) { return iteration_of(file) > newest; });
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < files.size(); ++i) remove_quietly(files[i]);
}

void RunFolder::append_metrics(const std::string& json_line) const {
  unwritten_ += json_line + '\n';
  try {
    write_metrics();
    noted_ = false;
  } catch (const Error& error) {
    if (!noted_) say(stderr, "note: {}; the training goes on\n", std::string(error.what()));
    noted_ = true;
  }
}

void RunFolder::write_metrics() const {
  const fs::path path = metrics_file();
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (file < 0) throw Error(write_failure(path, errno));
  // What a failed attempt left behind goes first: a part of a line, or lines whose close has failed.
  const std::int64_t end = ::lseek(file, 0, SEEK_END);
  int failure = end < 0 ? errno : 0;
  if (metrics_bytes_ < 0) metrics_bytes_ = end;
  if (failure == 0 && end > metrics_bytes_ && ::ftruncate(file, metrics_bytes_) != 0) failure = errno;
  std::size_t done = 0;
  while (failure == 0 && done < unwritten_.size()) {
    const ssize_t written = ::write(file, unwritten_.data() + done, unwritten_.size() - done);
    if (written > 0) done += static_cast<std::size_t>(written);
    if (written == 0) failure = ENOSPC;
    if (written < 0 && errno != EINTR) failure = errno;
  }
  if (::close(file) != 0 && failure == 0 && errno != EINTR) failure = errno;
  if (failure != 0) throw Error(write_failure(path, failure));
  metrics_bytes_ += static_cast<std::int64_t>(unwritten_.size());
  unwritten_.clear();
}

void RunFolder::sync_metrics() const {
  if (!unwritten_.empty()) write_metrics();
  const int file = ::open(metrics_file().c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return;  // no line yet
  int failure = file < 0 || ::fdatasync(file) != 0 ? errno : 0;
  if (file >= 0 && ::close(file) != 0 && failure == 0) failure = errno;
  if (failure != 0) throw Error(write_failure(metrics_file(), failure));
}

void RunFolder::record_data(const std::vector<std::string>& names) const {
  std::string text;
  for (const std::string& name : names) text += escaped(name) + '\n';
  write_text(data_file(), text);
}

void RunFolder::check_data(const std::vector<std::string>& names) const {
  if (!fs::exists(data_file())) return record_data(names);
  std::istringstream file(read_text(data_file()));
  std::vector<std::string> before;
  for (std::string line; std::getline(file, line);) before.push_back(unescaped(line));
  if (before == names) return;
  const auto [old, now] = std::mismatch(before.begin(), before.end(), names.begin(), names.end());
  throw Error(
      "{}: was trained on {} pictures, now there are {}; the first difference: {}, before {}. Restore them, or begin "
      "a new run from this one's model with model.init",
      path_.string(), before.size(), names.size(), now == names.end() ? "none" : "'" + *now + "'",
      old == before.end() ? "none" : "'" + *old + "'");
}

void RunFolder::sweep() const {
  for (const fs::path& folder : {path_, path_ / "previews", path_ / "checkpoints"}) sweep_temporaries(folder);
}

void RunFolder::truncate_metrics(std::int64_t last_iteration) const {
  std::ifstream file(metrics_file());
  std::string kept, line;
  for (int number = 1; std::getline(file, line) && !file.eof(); ++number) {  // one without an end was cut off
    const auto json = metrics_line(line, fmt::format("{}:{}", metrics_file().string(), number));
    if (json["iteration"] > last_iteration) break;
    kept += line + '\n';
  }
  file.close();
  write_text(metrics_file(), kept);
  metrics_bytes_ = -1;
}

TrainConfig without_folders(TrainConfig config) {
  const auto strip = [](std::string& path) { path = std::filesystem::path(path).filename().string(); };
  for (std::string& path : config.data.train) strip(path);
  for (std::string& path : config.distill.validation) strip(path);
  for (StyleConfig& style : config.styles) strip(style.image);
  for (std::string* path : {&config.weights.vgg19, &config.weights.vgg16, &config.weights.resnet_upproj,
                            &config.model.init, &config.depth.train_list, &config.depth.validation_list,
                            &config.depth.encoder_weights, &config.train.out})
    strip(*path);
  return config;
}

std::string last_checkpoint(const RunFolder& folder, std::int64_t saved) {
  return saved == 0 ? "there is no checkpoint yet"
                    : "the last checkpoint is " + folder.checkpoint_file(saved).string();
}

Error stopped_run(const RunFolder& folder, std::int64_t iteration, std::int64_t saved,
                  const std::string& reason, const std::string& remedy) {
  return Error("iteration {}: {}; the run is stopped, {}. A lower {} may help", iteration, reason,
               last_checkpoint(folder, saved), remedy);
}

void require_same_results(const std::vector<std::string>& overrides) {
  // data.train: check_data() sees to it that only the place of the pictures is another.
  static constexpr std::array<const char*, 10> kKeys{
      "train.iterations",    "train.minutes",   "train.checkpoint_every", "train.keep_checkpoints",
      "train.preview_every", "train.log_every", "data.workers",           "train.gradient_norms_every",
      "data.cache_mb",       "data.train"};
  for (const auto& text : overrides) {
    const std::string key = text.substr(0, text.find_first_of(" ="));
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      throw Error(
          "--resume with --set {}: this would change the run's results; start a new run, for example from "
          "this one's model with model.init",
          text);
  }
}

std::optional<CheckpointInfo> restore(const RunFolder& folder, ParamStore& params, ParamStore* statistics) {
  auto checkpoints = folder.checkpoints();
  if (checkpoints.empty()) return {};
  for (; !checkpoints.empty(); checkpoints.pop_back()) {
    try {
      return read_checkpoint(checkpoints.back(), params, statistics);
    } catch (const Error& error) {
      say(stderr, "{}; trying the checkpoint before it\n", std::string(error.what()));
    }
  }
  throw Error("{}: none of its checkpoints can be read; start again with another train.out",
              folder.path().string());
}

void require_not_over(const TrainConfig& config, const RunFolder& folder, std::int64_t done) {
  if (done > config.train.iterations)
    throw Error("{}: has {} iterations already, train.iterations = {} cannot take them back",
                folder.path().string(), done, config.train.iterations);
}

void note_changes(const Context& context, const std::optional<CheckpointInfo>& info) {
  if (!info) return;
  const char* device = name_of(context.device());
  if (info->device != device)
    say(stderr,
        "note: the run was on the device {0}, now it is on {1}; the last bits of the results will "
        "differ (--device {0} keeps them)\n",
        info->device, device);
  else if (context.device() == Device::Cpu && info->threads != context.threads())
    say(stderr,
        "note: the run used {0} threads, now there are {1}; the last bits of the results will differ "
        "(--threads {0} keeps them)\n",
        info->threads, context.threads());
}

void announce_resume(const std::optional<CheckpointInfo>& info, double minutes) {
  std::string text = "the run stopped before its first checkpoint; starting from the beginning";
  if (info) text = fmt::format("resuming after iteration {}", info->iteration);
  if (info && minutes > 0)
    text += fmt::format("; {} of {} are used", duration_text(info->seconds), duration_text(60 * minutes));
  say(stderr, "{}\n", text);
}

namespace {

struct Point {
  double iteration, value;
};
using Curves = std::map<std::string, std::vector<Point>>;

struct Metrics {
  Curves weighted, gradient_norms;
  Curves by_style;                         // raw style losses
  Curves loss, validation;                 // of depth networks
  std::map<std::string, Curves> held_out;  // of imitating networks: by term and layer
  std::string summary;                     // of the last iteration
};

double number_of(const nlohmann::json& line, const char* key, double otherwise) {
  return line.contains(key) && line[key].is_number() ? line[key].get<double>() : otherwise;
}

Metrics read_metrics(const RunFolder& folder) {
  Metrics metrics;
  std::ifstream file(folder.metrics_file());
  std::string line;
  while (std::getline(file, line)) {
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("iteration") || !json["iteration"].is_number()) continue;
    const double iteration = json["iteration"].get<double>();
    const auto add = [&](const char* key, Curves& curves) {
      if (!json.contains(key) || !json[key].is_object()) return;
      for (const auto& [term, value] : json[key].items())
        if (value.is_number()) curves[term].push_back({iteration, value.get<double>()});
    };
    add("weighted", metrics.weighted);
    add("gradient_norms", metrics.gradient_norms);
    add("style_losses", metrics.by_style);
    add("validation", metrics.validation);
    if (json.contains("validation") && json["validation"].is_object()) {
      for (const auto& [term, layers] : json["validation"].items())
        if (layers.is_object())
          for (const auto& [layer, value] : layers.items())
            if (value.is_number()) metrics.held_out[term][layer].push_back({iteration, value.get<double>()});
      continue;
    }
    if (json.contains("loss") && json["loss"].is_number())
      metrics.loss["loss"].push_back({iteration, json["loss"].get<double>()});
    metrics.summary =
        fmt::format("After iteration {:.0f}: {} {:.4g}, {:.3g} images per second.", iteration,
                    json.contains("loss") ? "loss" : "total loss",
                    number_of(json, "total", number_of(json, "loss", 0)), number_of(json, "images_per_s", 0));
  }
  return metrics;
}

// At most `count` points, each the mean of a stretch: keeps the page small and the curve readable.
std::vector<Point> thin(const std::vector<Point>& points, std::size_t count) {
  if (points.size() <= count) return points;
  std::vector<Point> thinned;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = i * points.size() / count, end = (i + 1) * points.size() / count;
    Point mean{0, 0};
    for (std::size_t j = begin; j < end; ++j) {
      mean.iteration += points[j].iteration / static_cast<double>(end - begin);
      mean.value += points[j].value / static_cast<double>(end - begin);
    }
    thinned.push_back(mean);
  }
  return thinned;
}

constexpr std::array<const char*, 9> kColors{"#1b6ca8", "#c8553d", "#3a7d44", "#7d5ba6", "#b8860b",
                                             "#444444", "#2a9d8f", "#b23a6f", "#8a5a2b"};

// The smallest of 1, 2, 5, 10, 20, 50, ... that divides `length` into at most `most` steps.
double round_step(double length, int most) {
  for (double decade = 1;; decade *= 10)
    for (const double digit : {1.0, 2.0, 5.0})
      if (length <= digit * decade * most) return digit * decade;
}

struct Tick {
  double value;
  std::string text;
};

// The marks of a logarithmic axis that reaches from one below `low` to one above `high`: at 1, 2 and 5 times
// powers of ten, or where that were too many at powers of ten, equally far apart.
std::vector<Tick> logarithmic_ticks(double low, double high) {
  constexpr int kMost = 11;
  const int bottom = static_cast<int>(std::floor(std::log10(low))),
            top = static_cast<int>(std::floor(std::log10(high))) + 1;
  const bool fine = 3 * (top - bottom) < kMost;
  const int step = fine ? 1 : static_cast<int>(round_step(top - bottom, kMost - 1));
  std::vector<Tick> ticks;
  const auto complete = [&] { return ticks.size() > 1 && ticks.back().value >= high; };
  for (int decade = bottom; !complete(); decade += step)
    for (const int digit : {1, 2, 5}) {
      if ((digit > 1 && !fine) || complete()) continue;
      const double value = digit * std::pow(10.0, decade);
      if (value <= low) ticks.clear();
      const bool plain = decade >= -3 && decade <= 4;
      ticks.push_back({value, plain ? fmt::format("{:g}", value) : fmt::format("{}e{}", digit, decade)});
    }
  return ticks;
}

struct Label {
  double y;
  std::string text;
  const char* color;
};

// Moves labels that would cover each other apart, none below `bottom`.
void spread(std::vector<Label>& labels, double bottom) {
  constexpr double kLineHeight = 15;
  std::sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.y < b.y; });
  for (std::size_t i = 1; i < labels.size(); ++i)
    labels[i].y = std::max(labels[i].y, labels[i - 1].y + kLineHeight);
  for (std::size_t i = labels.size(); i-- > 0; bottom = labels[i].y - kLineHeight)
    labels[i].y = std::min(labels[i].y, bottom);
}

// Text as itself inside an element or an attribute.
std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"' || c == '\'')
      out += fmt::format("&#{};", static_cast<int>(c));
    else
      out += c;
  }
  return out;
}

// A line chart with a logarithmic vertical axis. Every line is named where it ends.
std::string chart(const Curves& curves) {
  constexpr double kWidth = 860, kHeight = 340, kLeft = 60, kRight = 150, kTop = 12, kBottom = 52;
  double low = INFINITY, high = 0, last = 1;
  for (const auto& [term, points] : curves)
    for (const auto& p : points)
      if (p.value > 0) {
        low = std::min(low, p.value);
        high = std::max(high, p.value);
        last = std::max(last, p.iteration);
      }
  if (!(high > 0)) return "<p>No values yet.</p>";
  const std::vector<Tick> ticks = logarithmic_ticks(low, high);
  const double bottom = std::log10(ticks.front().value), top = std::log10(ticks.back().value);
  const auto x = [&](double iteration) { return kLeft + iteration / last * (kWidth - kLeft - kRight); };
  const auto y = [&](double value) {
    return kTop + (top - std::log10(value)) / (top - bottom) * (kHeight - kTop - kBottom);
  };
  std::string svg = fmt::format("<svg viewBox='0 0 {} {}' role='img'>", kWidth, kHeight);
  for (const Tick& tick : ticks) {
    const double at = y(tick.value);
    svg += fmt::format(
        "<line x1='{}' x2='{}' y1='{:.1f}' y2='{:.1f}' stroke='#ddd'/>"
        "<text x='{}' y='{:.1f}' text-anchor='end'>{}</text>",
        kLeft, kWidth - kRight, at, at, kLeft - 6, at + 4, tick.text);
  }
  for (double iteration = 0; iteration <= last; iteration += round_step(last, 6))
    svg += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{:.0f}</text>", x(iteration),
                       kHeight - kBottom + 18, iteration);
  svg += fmt::format("<text x='{}' y='{}' text-anchor='middle' fill='#666'>iteration</text>",
                     (kLeft + kWidth - kRight) / 2, kHeight - kBottom + 38);
  std::vector<Label> labels;
  for (const auto& [term, points] : curves) {
    std::string path;
    Point end{0, 0};
    for (const auto& p : thin(points, 400))
      if (p.value > 0) {
        path += fmt::format("{:.1f},{:.1f} ", x(p.iteration), y(p.value));
        end = p;
      }
    if (path.empty()) continue;
    const char* color = kColors[labels.size() % kColors.size()];
    svg += fmt::format("<polyline points='{}' fill='none' stroke='{}' stroke-width='1.8'/>", path, color);
    // Also the whole of a curve of one point.
    svg += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='2.5' fill='{}'/>", x(end.iteration), y(end.value),
                       color);
    labels.push_back({y(end.value), fmt::format("{} {:.3g}", term, end.value), color});
  }
  spread(labels, kHeight - kBottom);
  for (const auto& label : labels)
    svg += fmt::format("<text x='{}' y='{:.1f}' fill='{}'>{}</text>", kWidth - kRight + 6, label.y + 4,
                       label.color, html_text(label.text));
  return svg + "</svg>";
}

}  // namespace

void write_report(const RunFolder& folder) {
  Metrics metrics = read_metrics(folder);
  const std::string title = html_text(escaped(std::filesystem::absolute(folder.path()).filename().string()));
  std::string html = fmt::format(
      "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' "
      "content='width=device-width'><title>chiaro: {0}</title><style>body{{font:15px/1.5 "
      "system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 "
      "1em;color:#222}}svg{{width:100%;font-size:12px}}img{{width:100%;border-radius:4px}}"
      "pre{{background:#f5f5f5;padding:1em;overflow:auto;font-size:12px}}figure{{margin:1.5em 0}}"
      "figcaption{{color:#666}}</style><h1>{0}</h1>",
      title);
  const bool depth = !metrics.loss.empty();
  html += "<p>" + metrics.summary + "</p>";
  html += depth ? "<h2>Depth loss, meters</h2>" + chart(metrics.loss)
                : "<h2>Weighted loss terms</h2>" + chart(metrics.weighted);
  if (!metrics.by_style.empty())
    html +=
        "<h2>Style loss of each style</h2><p>Unweighted. Styles with strong contrasts have larger ones: "
        "compare each with itself.</p>" +
        chart(metrics.by_style);
  metrics.validation.erase("pixels");
  if (!metrics.validation.empty())
    html +=
        "<h2>Validation</h2><p>On pictures that the network is not trained on: rel, rms (meters) and log10 "
        "are errors, delta1 to delta3 shares of pixels.</p>" +
        chart(metrics.validation);
  for (const auto& [term, curves] : metrics.held_out)
    html +=
        fmt::format(
            "<h2>Validation: {}</h2><p>Relative squared errors by layer, on photos that the network is not "
            "trained on: 0 is perfect, 1 is what an answer of 0 gets.</p>",
            html_text(term)) +
        chart(curves);
  if (!metrics.gradient_norms.empty())
    html +=
        "<h2>Gradient norm of each weighted term at the generated pictures</h2><p>What each term pulls with: "
        "two terms with equal norms have equal say. Change a weight by the factor by which you want its say "
        "to change.</p>" +
        chart(metrics.gradient_norms);
  auto previews = folder.previews();
  if (!previews.empty())
    html += fmt::format(
        "<h2>Previews</h2><p>{}; newest first.</p>",
        depth ? "Photo, measured depth (gray: unknown), prediction" : "Photos above, stylized below");
  constexpr std::size_t kShown = 12;
  std::reverse(previews.begin(), previews.end());
  for (std::size_t i = 0; i < std::min(previews.size(), kShown); ++i)
    html += fmt::format(
        "<figure><img src='previews/{}' alt=''><figcaption>after iteration {}</figcaption></figure>",
        previews[i].filename().string(), iteration_of(previews[i]));
  html += "<h2>Configuration</h2><pre>" + html_text(read_text(folder.config_file())) + "</pre></html>\n";
  write_text(folder.report_file(), html);
}

}  // namespace chiaro
