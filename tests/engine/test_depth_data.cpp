#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "engine/data/depth_loader.hpp"
#include "kernels/base/error.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/depth_pictures.hpp"
#include "tests/support/picture_folder.hpp"
#include "tests/support/real_data.hpp"

using namespace chiaro;
using chiaro::test::contains;
using chiaro::test::error_of;
using chiaro::test::gray_png;
using chiaro::test::PictureFolder;
using chiaro::test::ramp_depth;
using chiaro::test::ramp_photo;

namespace {

void write_pair(const PictureFolder& folder, const std::string& id, int mark) {
  encode_image(folder / ("rgb/" + id + ".png"), ramp_photo(24, 32, mark));
  folder.write("depth/" + id + ".png", gray_png(ramp_depth(24, 32)));
}

std::shared_ptr<const DepthList> seven_pairs(const PictureFolder& folder) {
  for (int i = 0; i < 7; ++i) write_pair(folder, "p" + std::to_string(i), 10 * i);
  return std::make_shared<const DepthList>(folder.path(), "", 0.001);
}

DepthLoaderOptions small_options(int workers, DepthUse use = DepthUse::Train) {
  DepthLoaderOptions options;
  options.batches.use = use;
  options.batches.batch_size = 3;
  options.batches.input = {16, 20};
  options.batches.target = {8, 10};
  options.batches.frame = 1;
  options.workers = workers;
  return options;
}

std::vector<DepthBatch> take(const std::shared_ptr<const DepthList>& list, const DepthLoaderOptions& options,
                             int count) {
  DepthLoader loader(list, options);
  std::vector<DepthBatch> batches;
  for (int i = 0; i < count; ++i) batches.push_back(loader.next());
  return batches;
}

bool equal(const DepthBatch& a, const DepthBatch& b) {
  return a.index == b.index && a.epoch == b.epoch && a.position == b.position && a.pairs == b.pairs &&
         a.rgb == b.rgb && a.depth == b.depth;
}

}  // namespace

TEST_CASE("gray pictures: 8 and 16 bits as stored, anything else is refused by name") {
  const PictureFolder folder;
  const GrayImage deep{.height = 2, .width = 2, .bits = 16, .values = {0, 1, 0x1234, 65535}};
  const GrayImage flat{.height = 1, .width = 3, .bits = 8, .values = {0, 7, 255}};
  CHECK(decode_gray(folder.write("deep.png", gray_png(deep))) == deep);
  CHECK(decode_gray(folder.write("flat.png", gray_png(flat))) == flat);

  const auto reason = [&](const std::string& bytes) {
    return error_of([&] { decode_gray(folder.write("x.png", bytes)); });
  };
  CHECK(reason(gray_png(flat, 3)) ==
        folder / "x.png: a PNG with palette pixels of 8 bits, expected gray of 8 or 16 bits; convert it");
  const std::string whole = gray_png(deep);
  CHECK(reason(whole.substr(0, whole.size() - 20)) ==
        folder /
            fmt::format("x.png: the PNG data ends early ({} bytes); the file was cut off, fetch it again",
                        whole.size() - 20));
  CHECK(contains(reason("hello"), "x.png: not a JPEG, PNG, WebP or BMP picture"));
  encode_image(folder / "x.jpg", Image(2, 2, 3));
  CHECK(contains(error_of([&] { decode_gray(folder / "x.jpg"); }), "a JPEG picture, expected a gray PNG"));
}

TEST_CASE("depth list: ids in order, own scales, and what is missing is skipped by name") {
  const PictureFolder folder;
  for (const char* id : {"a", "b", "room/c"}) write_pair(folder, id, 1);
  encode_image(folder / "rgb/lonely.jpg", Image(4, 4, 3));
  folder.write("train.txt", "# comment\nroom/c 0.5\r\n\n gone\na\nlonely\nb x\nb 0\n");
  const DepthList list(folder.path(), "train.txt", 0.001);
  REQUIRE(list.count() == 2);
  CHECK(list.name(0) == "room/c");
  CHECK(list.read(0).meters_per_unit == 0.5);
  CHECK(list.read(1).meters_per_unit == 0.001);
  CHECK(list.read(1).depth == ramp_depth(24, 32));
  REQUIRE(list.skipped().size() == 4);
  const std::string place = folder / "train.txt:";
  CHECK(list.skipped()[0].reason == place + "4: there is no photo 'gone' below " + folder / "rgb");
  CHECK(list.skipped()[1].reason == place + "6: there is no depth map 'lonely' below " + folder / "depth");
  CHECK(list.skipped()[2].reason == place + "7: 'b x' is not an id, or an id and its meters per unit");
  CHECK(DepthList(folder.path(), "", 0.001).count() == 3);

  folder.write("marked.txt",
               "\xef\xbb\xbf"
               "a\n");  // as editors of Windows begin a text
  CHECK(DepthList(folder.path(), "marked.txt", 0.001).name(0) == "a");

  folder.write("none.txt", "gone\n");
  CHECK(error_of([&] { DepthList(folder.path(), "none.txt", 1); }) ==
        folder / "none.txt: no pair of a photo and a depth map; the first: " + folder / "none.txt:1: " +
            "there is no photo 'gone' below " + folder / "rgb");
  CHECK(contains(error_of([&] { DepthList(folder.path(), "", 0); }), "0 meters per unit"));
  CHECK(contains(error_of([&] { DepthList(folder.path(), "no.txt", 1); }), "no.txt"));
  CHECK(contains(error_of([&] { DepthList(folder / "rgb", "", 1); }), "rgb/rgb: no such folder"));
}

TEST_CASE("depth loader: batches do not depend on workers, cache or where a run starts") {
  const PictureFolder folder;
  const auto list = seven_pairs(folder);
  const std::vector<DepthBatch> expected = take(list, small_options(0), 12);
  CHECK(expected[4].epoch == 1);
  CHECK(expected[4].position == 5);
  for (const int workers : {0, 1, 3}) {
    for (const std::int64_t cache_bytes : {0, 9000, 1 << 20}) {
      DepthLoaderOptions options = small_options(workers);
      options.batches.cache_bytes = cache_bytes;
      options.prefetch = 1 + workers;
      options.first_batch = 5;
      const std::vector<DepthBatch> batches = take(list, options, 7);
      for (std::size_t i = 0; i < 7; ++i) CHECK(equal(batches[i], expected[i + 5]));
    }
  }
  DepthLoaderOptions other_seed = small_options(0);
  other_seed.batches.seed = 2;
  CHECK_FALSE(take(list, other_seed, 1)[0].rgb == expected[0].rgb);
}

TEST_CASE("depth loader: every pair once per epoch in a new order, with new windows") {
  const PictureFolder folder;
  const auto list = seven_pairs(folder);
  DepthLoaderOptions options = small_options(2);
  options.batches.augmentation.channel_gain = 0;
  std::vector<std::int64_t> pairs;
  std::map<std::int64_t, std::set<std::vector<float>>> windows;
  for (const DepthBatch& batch : take(list, options, 7)) {
    pairs.insert(pairs.end(), batch.pairs.begin(), batch.pairs.end());
    for (std::size_t j = 0; j < 3; ++j) {
      const auto first = batch.depth.begin() + static_cast<std::ptrdiff_t>(j) * 80;
      windows[batch.pairs[j]].insert(std::vector<float>(first, first + 80));
      CHECK(batch.rgb[j * 960 + 2] == 10.0f * static_cast<float>(batch.pairs[j]));
    }
  }
  std::set<std::vector<std::int64_t>> orders;
  for (int epoch = 0; epoch < 3; ++epoch) {
    const std::vector<std::int64_t> order(pairs.begin() + epoch * 7, pairs.begin() + epoch * 7 + 7);
    CHECK(std::set<std::int64_t>(order.begin(), order.end()).size() == 7);
    orders.insert(order);
  }
  CHECK(orders.size() == 3);
  for (const auto& [pair, seen] : windows) CHECK(seen.size() == 3);
}

TEST_CASE("depth loader: photo and depth are moved together, depth is divided by the scale") {
  const PictureFolder folder;
  const auto list = seven_pairs(folder);
  DepthLoaderOptions options = small_options(0);
  DepthAugmentation& augmentation = options.batches.augmentation;
  augmentation.channel_gain = 0;
  const PictureSize size = {24, 32};  // nothing is scaled when pairs are read
  options.batches.input = options.batches.target = size;
  int known = 0;
  for (const DepthBatch& batch : take(list, options, 20)) {
    for (std::size_t p = 0; p < batch.depth.size(); ++p) {
      const auto j = static_cast<std::int64_t>(p / (24 * 32));
      const std::int64_t epoch = (batch.index * 3 + j) / 7, pair = batch.pairs[static_cast<std::size_t>(j)];
      const double scale = random_window(augmentation, 1, epoch, pair, size, size).scale;
      const auto value = std::lround(batch.depth[p] * 1000 * scale) - 1;
      if (value < 0) continue;
      ++known;
      // The middle of the nearest pixel is at most half a pixel away.
      REQUIRE(std::abs(batch.rgb[p * 3] / 4 - static_cast<float>(value / 100)) <= 0.501f);
      REQUIRE(std::abs(batch.rgb[p * 3 + 1] / 4 - static_cast<float>(value % 100)) <= 0.501f);
    }
  }
  CHECK(known > 20 * 3 * 24 * 32 * 95 / 100);
}

TEST_CASE("depth loader: validation shows the middle of every pair once, in order, and pads with nothing") {
  const PictureFolder folder;
  const auto list = seven_pairs(folder);
  const DepthLoaderOptions options = small_options(2, DepthUse::Validate);
  CHECK(DepthLoader(list, options).batches_per_pass() == 3);
  const std::vector<DepthBatch> batches = take(list, options, 6);
  CHECK(batches[0].pairs == std::vector<std::int64_t>{0, 1, 2});
  CHECK(batches[2].pairs == std::vector<std::int64_t>{6, -1, -1});
  CHECK(batches[5].pairs == batches[2].pairs);
  CHECK(batches[5].rgb == batches[2].rgb);
  CHECK(batches[5].depth == batches[2].depth);  // its memory held a full batch before
  CHECK(batches[5].epoch == 1);
  CHECK(std::all_of(batches[2].depth.begin() + 80, batches[2].depth.end(), [](float d) { return d == 0; }));
  // 24 x 32 is scaled by max(16/24, 20/32) to 16 x 21: the window starts at column 0.
  const DepthPair fit = fit_to_input(list->read(0), {16, 20}, 1, "x");
  CHECK(fit.rgb.width == 21);
  for (std::int64_t y = 0; y < 16; ++y) {
    for (std::int64_t x = 0; x < 20; ++x) {
      CHECK(batches[0].rgb[static_cast<std::size_t>(y * 20 + x) * 3] == fit.rgb.at(y, x)[0]);
    }
  }
  CHECK(batches[0].depth[0] == doctest::Approx(0.001 * (100 * 2 + 2 + 1)));
}

TEST_CASE("depth loader: the frame is cut from the middle, pixel for pixel where the input allows") {
  const DepthPair fit = fit_to_input({ramp_photo(40, 60), ramp_depth(40, 60), 1}, {38, 57}, 0.95, "x");
  CHECK(fit.rgb == crop(ramp_photo(40, 60), 1, 1, 38, 57));
  CHECK(fit.depth.values[0] == 100 * 1 + 1 + 1);
  CHECK(fit.depth.values[37 * 57 + 56] == 100 * 57 + 38 + 1);
  CHECK(contains(error_of([] {
                   fit_to_input({Image(1, 40, 3), {}, 1}, {8, 8}, 1, "a.png");
                 }),
                 "a.png: 40 x 1 pixels are too narrow"));
}

TEST_CASE("depth loader: unusable pairs are replaced in training, left empty in validation, and named") {
  const PictureFolder folder;
  seven_pairs(folder);
  folder.write("rgb/p1.png", "not a picture");
  folder.write("depth/p3.png", gray_png(ramp_depth(24, 31)));
  folder.write(
      "depth/p4.png",
      gray_png({.height = 24, .width = 32, .bits = 8, .values = std::vector<std::uint16_t>(24 * 32, 0)}));
  folder.write("list.txt", "p0\np1\np2\np3\np4\np5\np9\n");
  const auto list = std::make_shared<const DepthList>(folder.path(), "list.txt", 0.001);
  REQUIRE(list->count() == 6);
  const std::vector<DepthBatch> expected = take(list, small_options(0), 8);
  DepthLoader loader(list, small_options(3));
  for (const DepthBatch& batch : expected) {
    CHECK(equal(loader.next(), batch));
    for (const std::int64_t pair : batch.pairs) CHECK((pair == 0 || pair == 2 || pair == 5));
  }
  const std::vector<BadPhoto> skipped = loader.skipped();
  REQUIRE(skipped.size() == 4);
  CHECK(skipped[0].name == "p9");
  CHECK(skipped[1].name == "p1");
  CHECK(contains(skipped[1].reason, folder / "rgb/p1.png: not a JPEG, PNG, WebP or BMP picture"));
  CHECK(skipped[2].reason ==
        folder / "depth/p3.png: 31 x 24 pixels, but its photo has 32 x 24; both must have one size");
  CHECK(skipped[3].reason == folder / "depth/p4.png: no pixel has a known depth (all values are 0)");
  CHECK(loader.skipped_summary(1) ==
        "4 pairs of photo and depth map could not be used and were skipped:\n  " + skipped[0].reason +
            "\n  ... and 3 more");

  const std::vector<DepthBatch> checks = take(list, small_options(2, DepthUse::Validate), 2);
  CHECK(checks[0].pairs == std::vector<std::int64_t>{0, -1, 2});
  CHECK(checks[1].pairs == std::vector<std::int64_t>{-1, -1, 5});
  CHECK(std::all_of(checks[1].rgb.begin(), checks[1].rgb.begin() + 2 * 960, [](float v) { return v == 0; }));

  folder.write("list.txt", "p1\n");
  for (const DepthUse use : {DepthUse::Train, DepthUse::Validate}) {
    DepthLoader none(std::make_shared<const DepthList>(folder.path(), "list.txt", 1), small_options(2, use));
    CHECK(contains(error_of([&] { none.next(); }), "can be used; the first: " + folder / "rgb/p1.png"));
  }
}

TEST_CASE("depth loader: NYU Depth v2") {
  const auto data = test::real_data();
  if (!data) return;
  const std::string folder = (*data / "nyu_depth_v2").string();
  const DepthList train(folder, "train.txt", 9.99547 / 255);
  const auto val = std::make_shared<const DepthList>(folder, "val.txt", 9.99547 / 255);
  CHECK(train.count() == 1199);
  CHECK(val->count() == 150);
  CHECK(train.skipped().empty());

  DepthLoaderOptions options;
  options.batches.use = DepthUse::Validate;
  DepthLoader loader(val, options);
  std::int64_t pairs = 0, known = 0, plausible = 0;
  for (std::int64_t i = 0; i < loader.batches_per_pass(); ++i) {
    const DepthBatch& batch = loader.next();
    pairs += std::ranges::count_if(batch.pairs, [](std::int64_t pair) { return pair >= 0; });
    known += std::ranges::count_if(batch.depth, [](float depth) { return depth != 0; });
    plausible += std::ranges::count_if(batch.depth, [](float depth) { return depth > 0.7f && depth < 10; });
  }
  CHECK(pairs == 150);
  CHECK(known == plausible);
  CHECK(known > 150 * 128 * 160 * 95 / 100);
  CHECK(loader.skipped_summary() == "");
}
