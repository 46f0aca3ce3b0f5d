#include "apps/stylize/stylize_jobs.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <map>

#include "engine/data/photo_list.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {
namespace {

namespace fs = std::filesystem;

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

bool is_writable_extension(const std::string& extension) {
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

// A picture's extension that is no folder's name either, so most likely a mistake.
bool is_other_picture_extension(const std::string& extension) {
  constexpr std::array kOthers = {".bmp", ".gif", ".heic", ".tif", ".tiff", ".webp"};
  return std::find(kOthers.begin(), kOthers.end(), extension) != kOthers.end();
}

// The name of a result: that of the picture with the extension of its format.
fs::path result_name(fs::path name, const std::string& format) {
  if (!format.empty()) return name.replace_extension(format);
  return is_writable_extension(lower_extension(name)) ? name : name.replace_extension("png");
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return !relative.empty() && relative != "." && *relative.begin() != "..";
}

StylizeJob single_job(const std::string& input, const std::string& output, const std::string& format) {
  const bool png = lower_extension(output) == ".png" || output == kStandardOutput;
  if (!format.empty() && png != (format == "png"))
    throw Error("{}: the name contradicts --format {}", output, format);
  return {input, output};
}

// Appends the pictures below a folder.
void append_folder(const fs::path& folder, const fs::path& output, const std::string& format,
                   std::vector<StylizeJob>& jobs) {
  const fs::path results = fs::weakly_canonical(output);
  const bool nested = is_below(results, fs::weakly_canonical(folder));
  const std::size_t before = jobs.size();
  std::string left_out;
  for (const std::string& photo : list_photos({folder.string()}, &left_out)) {
    if (nested && is_below(fs::weakly_canonical(photo), results)) continue;
    const fs::path name = fs::path(photo).lexically_relative(folder);
    jobs.push_back({photo, (output / result_name(name, format)).string()});
  }
  if (!left_out.empty())
    say(stderr, "stylize_engine: {}: left out pictures of kinds that are not read: {}\n", folder.string(),
        left_out);
  if (jobs.size() == before)
    throw Error("{}: all pictures in it lie in the output folder {}", folder.string(), output.string());
}

void check_results(const std::vector<StylizeJob>& jobs) {
  std::map<fs::path, std::string> inputs, results;
  for (const StylizeJob& job : jobs) inputs.emplace(fs::weakly_canonical(job.input), job.input);
  for (const StylizeJob& job : jobs) {
    const fs::path result = fs::weakly_canonical(job.output);
    if (const auto input = inputs.find(result); input != inputs.end())
      throw Error("{}: the result of {} would overwrite this input; choose another output", input->second,
                  job.input);
    if (const auto [other, fresh] = results.emplace(result, job.input); !fresh)
      throw Error("{}: would be the result of both {} and {}; stylize them into different folders",
                  job.output, other->second, job.input);
  }
}

}  // namespace

std::vector<StylizeJob> plan_jobs(const std::vector<std::string>& inputs, const std::string& output,
                                  const std::string& format) {
  for (const std::string& input : inputs)
    if (!fs::exists(input)) throw Error("{}: no such file or folder", input);

  if (output == kStandardOutput) {
    if (inputs.size() > 1 || fs::is_directory(inputs[0]))
      throw Error("-o -: one picture goes to standard output, as PNG; for more name a folder");
    return {single_job(inputs[0], output, format)};
  }
  std::vector<StylizeJob> jobs;
  const std::string extension = lower_extension(output);
  const bool names_picture = !fs::is_directory(output) && is_writable_extension(extension);
  if (names_picture) {
    if (inputs.size() > 1)
      throw Error("{}: names one picture, but there are {} inputs; name a folder", output, inputs.size());
    if (fs::is_directory(inputs[0]))
      throw Error("{}: names one picture, but {} is a folder; name a folder", output, inputs[0]);
    jobs.push_back(single_job(inputs[0], output, format));
  } else {
    if (fs::exists(output) && !fs::is_directory(output))
      throw Error("{}: is a file, expected a folder or a name that ends in .png or .jpg", output);
    if (!fs::exists(output) && is_other_picture_extension(extension))
      throw Error("{}: {} pictures cannot be written; name a .png or .jpg file, or a folder", output,
                  extension);
    for (const std::string& input : inputs) {
      if (fs::is_directory(input))
        append_folder(input, output, format, jobs);
      else
        jobs.push_back(
            {input, (fs::path(output) / result_name(fs::path(input).filename(), format)).string()});
    }
  }
  check_results(jobs);
  return jobs;
}

}  // namespace chiaro
