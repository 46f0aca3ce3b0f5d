// Which picture goes where, which model is meant, and how much memory there is.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "apps/common/loss_weights.hpp"
#include "apps/common/model_path.hpp"
#include "apps/stylize/memory_budget.hpp"
#include "apps/stylize/stylize_jobs.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/picture_folder.hpp"

using namespace chiaro;
using test::error_of;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs planned(const std::vector<std::string>& inputs, const std::string& output,
              const std::string& format = "") {
  Pairs pairs;
  for (const StylizeJob& job : plan_jobs(inputs, output, format)) pairs.emplace_back(job.input, job.output);
  return pairs;
}

std::string refusal(const std::vector<std::string>& inputs, const std::string& output,
                    const std::string& format = "") {
  return error_of([&] { plan_jobs(inputs, output, format); });
}

constexpr std::int64_t kMiB = 1 << 20;

}  // namespace

TEST_CASE("plan_jobs: one file to a file, in any case of the extension") {
  const test::PictureFolder folder;
  const std::string photo = folder.write("photo.bmp", "");
  for (const std::string name : {"x.png", "x.JPG", "x.jpeg"})
    CHECK(planned({photo}, folder.path() + "/" + name) == Pairs{{photo, folder.path() + "/" + name}});
  CHECK(planned({photo}, folder.path() + "/x.jpeg", "jpg").size() == 1);
  CHECK(refusal({photo}, "x.png", "jpg") == "x.png: the name contradicts --format jpg");
}

TEST_CASE("plan_jobs: names in a folder") {
  const test::PictureFolder folder;
  const std::string a = folder.write("in/a.JPG", ""), b = folder.write("in/sub/b.png", ""),
                    c = folder.write("in/sub/deep/c.bmp", ""), d = folder.write("d.jfif", "");
  folder.write("in/notes.txt", "");
  const std::string out = folder.path() + "/out";
  CHECK(
      planned({folder.path() + "/in", d}, out) ==
      Pairs{{a, out + "/a.JPG"}, {b, out + "/sub/b.png"}, {c, out + "/sub/deep/c.png"}, {d, out + "/d.png"}});
  CHECK(planned({folder.path() + "/in/"}, out, "jpg") == Pairs{{folder.path() + "/in/a.JPG", out + "/a.jpg"},
                                                               {b, out + "/sub/b.jpg"},
                                                               {c, out + "/sub/deep/c.jpg"}});
  CHECK(!std::filesystem::exists(out));
  // An existing folder is a folder whatever its name.
  std::filesystem::create_directory(folder.path() + "/results.png");
  CHECK(planned({a}, folder.path() + "/results.png") == Pairs{{a, folder.path() + "/results.png/a.JPG"}});
}

TEST_CASE("plan_jobs: results of an earlier run inside the input folder are left out") {
  const test::PictureFolder folder;
  const std::string a = folder.write("in/a.png", "");
  folder.write("in/styled/a.png", "");
  const std::string out = folder.path() + "/in/styled";
  CHECK(planned({folder.path() + "/in"}, out) == Pairs{{a, out + "/a.png"}});
  std::filesystem::remove(a);
  CHECK(refusal({folder.path() + "/in"}, out) ==
        folder.path() + "/in: all pictures in it lie in the output folder " + out);
}

TEST_CASE("plan_jobs: refusals") {
  const test::PictureFolder folder;
  const std::string a = folder.write("one/a.png", ""), b = folder.write("two/a.png", ""),
                    jpg = folder.write("one/a.jpg", ""), text = folder.write("notes", "");
  const std::string one = folder.path() + "/one", out = folder.path() + "/out";
  CHECK(refusal({a, "nowhere.jpg"}, out) == "nowhere.jpg: no such file or folder");
  CHECK(refusal({a, b}, "x.png") == "x.png: names one picture, but there are 2 inputs; name a folder");
  CHECK(refusal({one}, "x.png") == "x.png: names one picture, but " + one + " is a folder; name a folder");
  CHECK(refusal({a}, text) == text + ": is a file, expected a folder or a name that ends in .png or .jpg");
  CHECK(refusal({a}, "x.WEBP") ==
        "x.WEBP: .webp pictures cannot be written; name a .png or .jpg file, or a folder");
  CHECK(refusal({a, b}, out) == out + "/a.png: would be the result of both " + a + " and " + b +
                                    "; stylize them into different folders");
  CHECK(refusal({one}, out, "png") == out + "/a.png: would be the result of both " + jpg + " and " + a +
                                          "; stylize them into different folders");
  const std::string overwrite =
      a + ": the result of " + a + " would overwrite this input; choose another output";
  CHECK(refusal({a}, a) == overwrite);
  CHECK(refusal({a}, one) == overwrite);
  CHECK(refusal({a}, folder.path() + "/two/../one/a.png") == overwrite);
  std::filesystem::create_directory_symlink(one, folder.path() + "/link");
  CHECK(refusal({a}, folder.path() + "/link/a.png") == overwrite);
  CHECK(refusal({jpg, a}, a) != "");
  CHECK(refusal({b}, a) == "");  // replacing a picture that is no input is what a second run does
}

TEST_CASE("find_model: a path, a shipped name, neither") {
  const test::PictureFolder folder;
  const std::string file = folder.write("my.h5", "");
  const std::string shipped = folder.path() + "/models";
  CHECK(find_model(file, shipped) == file);
  CHECK(error_of([&] { find_model("candy", shipped); }) ==
        "candy: no such file, and no model of this name comes with chiaro (none does)");
  folder.write("models/starry_night.h5", "");
  folder.write("models/candy.h5", "");
  folder.write("models/compact_vgg19.h5", "");  // a loss network
  folder.write("models/README.md", "");
  CHECK(find_model("candy", shipped) == shipped + "/candy.h5");
  CHECK(error_of([&] { find_model("stary_night", shipped); }) ==
        "stary_night: no such file, and no model of this name comes with chiaro (there are: candy, "
        "starry_night); did you mean 'starry_night'?");
}

TEST_CASE("loss_weights_file: a path stays as it is, compact is what comes with chiaro") {
  const test::PictureFolder folder;
  const std::string shipped = folder.path() + "/models";
  CHECK(loss_weights_file("my/vgg.h5", "vgg19", shipped) == "my/vgg.h5");
  CHECK(loss_weights_file("random", "vgg16", shipped) == "random");
  CHECK(error_of([&] { loss_weights_file("compact", "vgg19", shipped); }) ==
        shipped +
            "/compact_vgg19.h5: the compact vgg19 that comes with chiaro is missing; restore it, or give a "
            "file of your own");
  folder.write("models/compact_vgg19.h5", "");
  folder.write("models/compact_depth.h5", "");
  CHECK(loss_weights_file("compact", "vgg19", shipped) == shipped + "/compact_vgg19.h5");
  CHECK(loss_weights_file("compact", "resnet_upproj", shipped) == shipped + "/compact_depth.h5");
  CHECK(error_of([&] { loss_weights_file("compact", "vgg16", shipped); }) ==
        "\"compact\": no compact vgg16 comes with chiaro; there is a vgg19");
}

TEST_CASE("available_memory: the machine and its control groups") {
  const test::PictureFolder folder;
  const std::filesystem::path proc = folder.path() + "/proc", groups = folder.path() + "/cgroup";
  CHECK(available_memory(proc, groups) == std::numeric_limits<std::int64_t>::max());
  folder.write("proc/meminfo", "MemTotal: 8192 kB\nMemAvailable:    4096 kB\n");
  CHECK(available_memory(proc, groups) == 4 * kMiB);

  SUBCASE("version 2: the tightest group on the way up, less its anonymous memory") {
    folder.write("proc/self/cgroup", "0::/user/job\n");
    folder.write("cgroup/user/job/memory.max", "max\n");
    CHECK(available_memory(proc, groups) == 4 * kMiB);
    folder.write("cgroup/user/memory.max", "3145728\n");
    CHECK(available_memory(proc, groups) == 3 * kMiB);
    folder.write("cgroup/user/memory.stat", "file 999999999\nanon 1048576\n");
    CHECK(available_memory(proc, groups) == 2 * kMiB);
    folder.write("cgroup/user/job/memory.max", "1000\n");
    CHECK(available_memory(proc, groups) == 1000);
    folder.write("cgroup/memory.max", "10\n");
    folder.write("cgroup/memory.stat", "anon 20\n");
    CHECK(available_memory(proc, groups) == 0);
  }
  SUBCASE("version 2: the root group of a container") {
    folder.write("proc/self/cgroup", "0::/\n");
    folder.write("cgroup/memory.max", "2097152\n");
    CHECK(available_memory(proc, groups) == 2 * kMiB);
  }
  SUBCASE("version 1") {
    folder.write("proc/self/cgroup", "10:cpuset:/x\n9:cpu,memory:/docker/abc\n");
    folder.write("cgroup/memory/memory.limit_in_bytes", "3145728\n");
    folder.write("cgroup/memory/memory.stat", "total_rss 1048576\n");
    CHECK(available_memory(proc, groups) == 2 * kMiB);
  }
  CHECK(available_memory() > 0);
}

TEST_CASE("largest_that_fits: the largest with this aspect, both sides large enough") {
  const auto pixels = [](PictureSize size) { return size.height * size.width; };
  CHECK(largest_that_fits({400, 200}, 16, 80'000, pixels) == PictureSize{400, 200});
  CHECK(largest_that_fits({400, 200}, 16, 79'999, pixels) == PictureSize{399, 200});
  CHECK(largest_that_fits({200, 400}, 16, 20'000, pixels) == PictureSize{100, 200});
  CHECK(largest_that_fits({200, 400}, 16, 16 * 32, pixels) == PictureSize{16, 32});
  CHECK(!largest_that_fits({200, 400}, 16, 16 * 32 - 1, pixels));
  CHECK(scaled_to({3000, 4000}, 1000) == PictureSize{750, 1000});
  CHECK(scaled_to({4000, 1}, 100) == PictureSize{100, 1});
}

TEST_CASE("format_bytes") {
  CHECK(format_bytes(1536 * 1024) == "1.5 MiB");
  CHECK(format_bytes(std::int64_t{10} << 30) == "10.0 GiB");
}
