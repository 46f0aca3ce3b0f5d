#include "apps/stylize/stylize_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <new>
#include <tuple>

#include "apps/common/model_path.hpp"
#include "apps/common/progress_line.hpp"
#include "apps/stylize/memory_budget.hpp"
#include "apps/stylize/picture_styler.hpp"
#include "apps/stylize/strip.hpp"
#include "apps/stylize/stylize_jobs.hpp"
#include "engine/image/image.hpp"
#include "kernels/common/error.hpp"
#include "kernels/common/memory.hpp"
#include "weights_import/weights_import.hpp"

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
    fmt::print(stderr, "stylize_engine: {}: out of memory\n", input);
  } catch (const std::exception& error) {
    fmt::print(stderr, "stylize_engine: {}\n", error.what());
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

void process(const CheckedJob& job, PictureStyler& styler, bool verbose) {
  Stopwatch watch;
  Image picture = decode_image(job.files.input);
  if (picture.height != job.size.height || picture.width != job.size.width)
    picture = resize(picture, job.size.height, job.size.width);
  const double decode_ms = watch.lap_ms();
  picture = style(styler, picture, job.files.input);
  const double network_ms = watch.lap_ms();
  if (!is_png(job.files.output)) picture = flatten_alpha(std::move(picture));
  const fs::path folder = fs::path(job.files.output).parent_path();
  if (!folder.empty()) fs::create_directories(folder);
  encode_image(job.files.output, picture);
  const double encode_ms = watch.lap_ms();

  fmt::print("{}: {}x{} pixels, {:.0f} ms\n", job.files.output, job.size.width, job.size.height,
             decode_ms + network_ms + encode_ms);
  if (verbose)
    fmt::print("  from {}, {}, {} planned; decode {:.1f} ms, network {:.1f} ms, encode {:.1f} ms\n",
               job.files.input, name_of(styler.dtype()), format_bytes(styler.planned_bytes()), decode_ms,
               network_ms, encode_ms);
  std::fflush(stdout);
}

}  // namespace

int stylize(const StylizeOptions& options) {
  const std::vector<StylizeJob> jobs = plan_jobs(options.inputs, options.output, options.format);
  Context context = make_context(options.common);
  const DType dtype = choose_precision(context, options.common.precision);
  const fs::path model_path = find_model(options.model, shipped_models());
  PictureStyler styler(
      context, make_transform_model(load_network(model_path, "transform_net"), model_path.string()), dtype);
  const std::int64_t available = options.memory_limit_mib > 0       ? options.memory_limit_mib << 20
                                 : context.device() == Device::Cuda ? free_device_memory(context)
                                                                    : available_memory();
  if (options.verbose) {
    const TransformModel& model = styler.model();
    fmt::print("{}: width {}, {} residual blocks, {} parameters\n{}; {} available\n", model_path.string(),
               model.config.width, model.config.residual_blocks, model.params->parameter_count(),
               context.description(), format_bytes(available));
  }

  std::vector<CheckedJob> checked;
  for (const StylizeJob& job : jobs)
    succeeds(job.input, [&] { checked.push_back(check(job, styler, options.max_size, available)); });
  if (const std::string note = context.tally().complaint(); !note.empty())
    fmt::print(stderr, "stylize_engine: {}\n", note);
  // Pictures of one size share a plan and its memory.
  std::stable_sort(checked.begin(), checked.end(), [](const CheckedJob& a, const CheckedJob& b) {
    return std::tie(a.size.height, a.size.width) < std::tie(b.size.height, b.size.width);
  });
  std::vector<StylizeJob> styled;
  for (const CheckedJob& job : checked)
    if (succeeds(job.files.input, [&] { process(job, styler, options.verbose); }))
      styled.push_back(job.files);
  if (!options.strip.empty() && !styled.empty()) write_strip(options.strip, styled);

  if (options.verbose) fmt::print("peak resident memory {}\n", format_bytes(peak_resident_bytes()));
  if (styled.size() < jobs.size() && jobs.size() > 1)
    fmt::print(stderr, "stylize_engine: {} of {} pictures were not styled; the reasons are above\n",
               jobs.size() - styled.size(), jobs.size());
  return styled.size() == jobs.size() ? 0 : 1;
}

}  // namespace chiaro
