#include "apps/stylize/stylize_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <new>
#include <set>
#include <tuple>

#include "apps/common/model_path.hpp"
#include "apps/common/progress_line.hpp"
#include "apps/stylize/memory_budget.hpp"
#include "apps/stylize/picture_styler.hpp"
#include "apps/stylize/strip.hpp"
#include "apps/stylize/stylize_jobs.hpp"
#include "apps/training/checkpoint_model.hpp"
#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/memory.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {
namespace {

namespace fs = std::filesystem;

// A job whose picture can be read and fits.
struct CheckedJob {
  StylizeJob files;
  PictureSize size;  // of the result
};

class Stopwatch {
 public:
  // Milliseconds since the last call, or since the beginning.
  double lap_ms() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(now - std::exchange(start_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Runs a step for one picture; when it throws, says why and returns false.
template <class Step>
bool succeeds(const std::string& input, Step&& step) {
  try {
    step();
    return true;
  } catch (const std::bad_alloc&) {
    say(stderr, "stylize_engine: {}: out of memory\n", input);
  } catch (const std::exception& error) {
    say(stderr, "stylize_engine: {}\n", std::string(error.what()));
  }
  return false;
}

CheckedJob check(const StylizeJob& job, const PictureStyler& styler, std::int64_t max_size,
                 std::int64_t available) {
  const ImageInfo info = probe_image(job.input);
  const PictureSize source{info.height, info.width};
  const bool too_large = max_size > 0 && std::max(info.height, info.width) > max_size;
  const PictureSize size = too_large ? scaled_to(source, max_size) : source;
  if (std::min(size.height, size.width) < kTransformNetMinimumSize)
    throw Error("{}: {}x{} pixels{} are too few; at least {}x{} are needed", job.input, size.width,
                size.height, too_large ? " (after --max-size)" : "", kTransformNetMinimumSize,
                kTransformNetMinimumSize);
  if (const std::int64_t needed = styler.needed_bytes(source, size); needed > available) {
    const auto fitting =
        largest_that_fits(size, kTransformNetMinimumSize, available,
                          [&](PictureSize smaller) { return styler.needed_bytes(source, smaller); });
    const std::string advice =
        fitting ? fmt::format("the largest size with this aspect that fits is {}x{} (--max-size {})",
                              fitting->width, fitting->height, std::max(fitting->width, fitting->height))
                : "no smaller size of it would fit either";
    throw Error("{}: {}x{} pixels need about {}, {} are available; {}", job.input, size.width, size.height,
                format_bytes(needed), format_bytes(available), advice);
  }
  return {job, size};
}

bool is_png(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension.size() == 4 && (extension[1] == 'p' || extension[1] == 'P');
}

// The styled picture; a line of progress while it takes long.
Image style(PictureStyler& styler, const Image& picture, const fs::path& file) {
  ProgressLine line(ProgressLine::Begin::WhenItTakesLong);
  const std::string name = file.filename().string();
  const double begin_s = steady_seconds();
  Image result = styler.style(picture, [&](double done) {
    const double left_s = (steady_seconds() - begin_s) * (1 - done) / done;
    line.show(fmt::format("{}: {:.0f} %, {} left", name, std::floor(100 * done), duration_text(left_s)));
  });
  line.clear();
  return result;
}

// notes: as in DecodeOptions.
void process(const CheckedJob& job, PictureStyler& styler, const StylizeOptions& options,
             std::vector<std::string>* notes) {
  Stopwatch watch;
  Image picture = decode_image(job.files.input, {.notes = notes});
  if (picture.height != job.size.height || picture.width != job.size.width)
    picture = resize(picture, job.size.height, job.size.width);
  const double decode_ms = watch.lap_ms();
  picture = style(styler, picture, job.files.input);
  const double network_ms = watch.lap_ms();
  const bool to_stream = job.files.output == kStandardOutput;
  if (to_stream) {
    say_text(stdout, encoded_image("-.png", picture));
    check_output();
  } else {
    if (!is_png(job.files.output)) picture = flatten_alpha(std::move(picture));
    const fs::path folder = fs::path(job.files.output).parent_path();
    if (!folder.empty()) fs::create_directories(folder);
    encode_image(job.files.output, picture, options.jpeg_quality);
  }
  const double encode_ms = watch.lap_ms();

  say(to_stream ? stderr : stdout, "{}: {}x{} pixels, {:.0f} ms\n", job.files.output, job.size.width,
      job.size.height, decode_ms + network_ms + encode_ms);
  if (options.verbose)
    say(to_stream ? stderr : stdout,
        "  from {}, {}, {} planned; decode {:.1f} ms, network {:.1f} ms, encode {:.1f} ms\n", job.files.input,
        name_of(styler.dtype()), format_bytes(styler.planned_bytes()), decode_ms, network_ms, encode_ms);
  std::fflush(stdout);
}

// What the network is applied as: one of its styles or a mixture, and what the names of results get for it.
struct Look {
  std::string suffix;
  std::vector<StyleShare> shares;
};

std::vector<Look> looks_of(const WeightsFile& network, const std::string& style, const std::string& file) {
  if (style != "all") return {{"", style.empty() ? std::vector<StyleShare>{} : parse_style_shares(style)}};
  std::vector<Look> looks;
  for (const std::string& name : transform_net_from_json(network.architecture, file).styles)
    looks.push_back({"_" + name, {{.name = name}}});
  if (looks.empty()) throw Error("--style all: {} has one style, without a name; leave --style out", file);
  return looks;
}

StylizeJob with_suffix(const StylizeJob& job, const std::string& suffix) {
  fs::path output = job.output;
  output.replace_filename(output.stem().string() + suffix + output.extension().string());
  return {job.input, output.string()};
}

// Results of different styles can have one name: a_b.jpg in style c, a.jpg in style b_c.
void require_distinct_results(const std::vector<StylizeJob>& jobs, const std::vector<Look>& looks) {
  std::map<std::string, std::string> results;
  for (const Look& look : looks)
    for (const StylizeJob& job : jobs) {
      const StylizeJob named = with_suffix(job, look.suffix);
      if (const auto [other, fresh] = results.emplace(named.output, job.input); !fresh)
        throw Error("{}: would be the result of {} and of {}", named.output, other->second, job.input);
    }
}

}  // namespace

int stylize(const StylizeOptions& options) {
  if (options.output == kStandardOutput && (options.style == "all" || !options.strip.empty()))
    throw Error("-o -: one picture goes to standard output; for --style all and --strip name a folder");
  std::FILE* lines = options.output == kStandardOutput ? stderr : stdout;
  const std::vector<StylizeJob> jobs = plan_jobs(options.inputs, options.output, options.format);
  Context context = make_context(options.common);
  const DType dtype = choose_precision(context, options.common.precision);
  const fs::path model_path = find_model(options.model, shipped_models());
  const WeightsFile network = load_style_network(model_path);
  const std::vector<Look> looks = looks_of(network, options.style, model_path.string());
  require_distinct_results(jobs, looks);
  const std::int64_t available = options.memory_limit_mib > 0       ? options.memory_limit_mib << 20
                                 : context.device() == Device::Cuda ? free_device_memory(context)
                                                                    : available_memory();

  std::vector<CheckedJob> checked;
  std::vector<std::vector<StylizeJob>> styled(looks.size());
  std::set<std::string> failed;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    PictureStyler styler(context, make_transform_model(network, model_path.string(), looks[i].shares), dtype);
    if (i == 0) {
      if (options.verbose) {
        const TransformModel& model = styler.model();
        say(lines, "{}: width {}, {} residual blocks, {} parameters\n{}; {} available\n", model_path.string(),
            model.config.width, model.config.residual_blocks, model.params->parameter_count(),
            context.description(), format_bytes(available));
      }
      for (const StylizeJob& job : jobs)
        if (!succeeds(job.input, [&] { checked.push_back(check(job, styler, options.max_size, available)); }))
          failed.insert(job.input);
      if (const std::string note = context.tally().complaint(); !note.empty())
        say(stderr, "stylize_engine: {}\n", note);
      // Pictures of one size share a plan and its memory.
      std::stable_sort(checked.begin(), checked.end(), [](const CheckedJob& a, const CheckedJob& b) {
        return std::tie(a.size.height, a.size.width) < std::tie(b.size.height, b.size.width);
      });
    }
    for (const CheckedJob& job : checked) {
      const CheckedJob named{with_suffix(job.files, looks[i].suffix), job.size};
      std::vector<std::string> notes;
      if (succeeds(named.files.input, [&] { process(named, styler, options, i == 0 ? &notes : nullptr); }))
        styled[i].push_back(named.files);
      else
        failed.insert(named.files.input);
      for (const std::string& line : notes) say(stderr, "stylize_engine: note: {}\n", line);
    }
  }
  if (!options.strip.empty()) write_strip(options.strip, styled);

  if (options.verbose) say(lines, "peak resident memory {}\n", format_bytes(peak_resident_bytes()));
  if (!failed.empty() && jobs.size() > 1)
    say(stderr, "stylize_engine: {} of {} pictures were not styled; the reasons are above\n", failed.size(),
        jobs.size());
  return failed.empty() ? 0 : 1;
}

}  // namespace chiaro
