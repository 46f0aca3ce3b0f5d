// Packs folders of photos into one HDF5 file of squares for training.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "apps/common/program.hpp"
#include "engine/data/photo_list.hpp"
#include "engine/data/photo_source.hpp"
#include "engine/io/packed_images.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/base/say.hpp"

namespace {

constexpr std::int64_t kBlock = 64;  // photos decoded at once, then written in order
constexpr std::size_t kListedProblems = 20;

struct Options {
  std::vector<std::string> folders;
  std::string output;
  std::int64_t size = 256;
};

struct Outcome {
  chiaro::Image square;
  std::string problem;  // empty: square is good
};

Outcome prepare(const std::string& path, std::int64_t size) {
  try {
    return {chiaro::center_crop(chiaro::fit_short_side(
                                    chiaro::read_photo(path, chiaro::short_side_to_decode(size)), size, path),
                                size),
            ""};
  } catch (const std::exception& error) {  // none may leave a parallel loop
    return {{}, error.what()};
  }
}

void report_problems(const std::vector<std::string>& problems) {
  if (problems.empty()) return;
  chiaro::say(stderr, "{} of the photos could not be used:\n", problems.size());
  for (std::size_t i = 0; i < std::min(problems.size(), kListedProblems); ++i) {
    chiaro::say(stderr, "  {}\n", problems[i]);
  }
  if (problems.size() > kListedProblems) {
    chiaro::say(stderr, "  ... and {} more\n", problems.size() - kListedProblems);
  }
}

void pack(const Options& options) {
  const std::vector<std::string> photos = chiaro::list_photos(options.folders);
  const auto count = static_cast<std::int64_t>(photos.size());
  chiaro::PackedImagesWriter writer(options.output, options.size);
  std::vector<std::string> problems;
  std::vector<Outcome> block;
  for (std::int64_t first = 0; first < count; first += kBlock) {
    const std::int64_t in_block = std::min(kBlock, count - first);
    block.assign(static_cast<std::size_t>(in_block), {});
    chiaro::parallel_for(in_block, [&](std::int64_t i) {
      block[static_cast<std::size_t>(i)] = prepare(photos[static_cast<std::size_t>(first + i)], options.size);
    });
    for (std::int64_t i = 0; i < in_block; ++i) {
      const Outcome& outcome = block[static_cast<std::size_t>(i)];
      if (outcome.problem.empty()) {
        writer.append(outcome.square, photos[static_cast<std::size_t>(first + i)]);
      } else {
        problems.push_back(outcome.problem);
      }
    }
    chiaro::say(stderr, "\r{} of {} photos", first + in_block, count);
  }
  chiaro::say(stderr, "\n");
  report_problems(problems);
  if (writer.count() == 0) {
    throw chiaro::Error("{}: not written, because none of {} photos can be used", options.output, count);
  }
  writer.close();
  chiaro::say(stdout, "{}: {} photos of {} x {} pixels, {:.1f} MB\n", options.output, writer.count(),
              options.size, options.size,
              static_cast<double>(std::filesystem::file_size(options.output)) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Packs the photos below folders into one HDF5 file for training: short side scaled to SIZE, square cut "
      "from the middle. Photos that cannot be used are listed and left out; the exit status is 0 if any was "
      "packed.",
      "pack_images");
  app.add_option("folders", options.folders, "folders with .jpg, .jpeg, .png and .bmp files")
      ->required()
      ->type_name("FOLDER");
  app.add_option("-o,--output", options.output, "HDF5 file to write; an existing one is replaced")
      ->required()
      ->type_name("PHOTOS.h5");
  app.add_option("--size", options.size, "height and width of every packed picture, in pixels")
      ->capture_default_str()
      ->check(CLI::Range(1, 8192));
  app.set_version_flag("--version", std::string("chiaro ") + chiaro::kVersion);
  return chiaro::run_program(app, argc, argv, [&] {
    pack(options);
    return 0;
  });
}
