#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/data/loader.hpp"
#include "engine/data/photo_list.hpp"
#include "engine/io/packed_images.hpp"
#include "kernels/base/error.hpp"
#include "tests/support/picture_folder.hpp"

using namespace chiaro;
using chiaro::test::PictureFolder;

namespace {

using Paths = std::vector<std::string>;

// Every pixel tells which photo it is (red) and where in it (green = column, blue = row).
Image marked_photo(int id, std::int64_t height, std::int64_t width) {
  Image photo(height, width, 3);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      photo.at(y, x)[0] = static_cast<std::uint8_t>(id);
      photo.at(y, x)[1] = static_cast<std::uint8_t>(x);
      photo.at(y, x)[2] = static_cast<std::uint8_t>(y);
    }
  }
  return photo;
}

// Photos a.png, b.png, ... whose short side is 8 already, so that no pixel changes when they are scaled.
void write_photos(const PictureFolder& folder, int count) {
  for (int i = 0; i < count; ++i) {
    const Image photo = i % 2 ? marked_photo(i, 8, 12 + i) : marked_photo(i, 12 + i, 8);
    encode_image(folder / (std::string(1, static_cast<char>('a' + i)) + ".png"), photo);
  }
}

LoaderOptions loader_options(int workers) {
  LoaderOptions options;
  options.batches.image_size = 8;
  options.batches.batch_size = 3;
  options.workers = workers;
  return options;
}

std::vector<Batch> take(const std::shared_ptr<const PhotoSource>& source, const LoaderOptions& options,
                        int count) {
  Loader loader(source, options);
  std::vector<Batch> batches;
  for (int i = 0; i < count; ++i) batches.push_back(loader.next());
  return batches;
}

bool equal(const Batch& a, const Batch& b) {
  return a.index == b.index && a.photos == b.photos && a.pixels == b.pixels;
}

}  // namespace

TEST_CASE("photo list: sorted, recursive, by extension, without hidden files") {
  const PictureFolder folder;
  for (const char* name :
       {"b/z.jpg", "b/Y.JPEG", "a.PNG", "c.bmp", "c.txt", ".hidden.jpg", ".git/x.jpg", "b/d/e.jpg"}) {
    folder.write(name, "x");
  }
  Paths expected;
  for (const char* name : {"a.PNG", "b/Y.JPEG", "b/d/e.jpg", "b/z.jpg", "c.bmp"})
    expected.push_back(folder / name);
  CHECK(list_photos({folder.path()}) == expected);
  CHECK(list_photos({folder / "b/d/", folder / "b/d"}).size() == 2);
}

TEST_CASE("photo list: links to folders are followed, loops are not; other kinds are counted") {
  const PictureFolder folder;
  for (const char* name : {"real/a.jfif", "real/b.jpe", "real/c.webp", "in/x.HEIC", "in/y.gif", "in/z.gif"})
    folder.write(name, "x");
  std::filesystem::create_directory_symlink(folder / "real", folder / "in/link");
  std::filesystem::create_directory_symlink(folder / "in", folder / "real/back");
  std::string left_out;
  CHECK(list_photos({folder / "in"}, &left_out) ==
        Paths{folder / "in/link/a.jfif", folder / "in/link/b.jpe", folder / "in/link/c.webp"});
  CHECK(left_out == "2 .gif, 1 .heic");
}

TEST_CASE("photo list: errors say what was looked for") {
  const PictureFolder folder;
  folder.write("notes.txt", "x");
  CHECK_THROWS_WITH_AS(
      list_photos({folder.path()}),
      (folder.path() +
       ": no photos found; looked for .jpg, .jpeg, .png, .webp and .bmp files in it and below")
          .c_str(),
      Error);
  CHECK_THROWS_WITH_AS(list_photos({"/no/such/folder"}),
                       "/no/such/folder: no such folder; check the path of the photos", Error);
  CHECK_THROWS_WITH_AS(list_photos({folder / "notes.txt"}),
                       (folder / "notes.txt: this is a file, expected a folder of photos").c_str(), Error);
  CHECK_THROWS_AS(list_photos({}), Error);
}

TEST_CASE("loader: batches do not depend on workers, cache, prefetch or where a run starts") {
  const PictureFolder folder;
  write_photos(folder, 7);
  const std::shared_ptr<const PhotoSource> source = open_photo_source({folder.path()});
  const std::vector<Batch> expected = take(source, loader_options(0), 12);
  CHECK_FALSE(equal(expected[0], expected[7]));
  for (const int workers : {0, 1, 3}) {
    for (const std::int64_t cache_bytes : {0, 900, 1 << 20}) {
      LoaderOptions options = loader_options(workers);
      options.batches.cache_bytes = cache_bytes;
      options.prefetch = 1 + workers;
      options.first_batch = 5;
      const std::vector<Batch> batches = take(source, options, 7);
      for (std::size_t i = 0; i < 7; ++i) CHECK(equal(batches[i], expected[i + 5]));
    }
  }
  LoaderOptions other_seed = loader_options(0);
  other_seed.batches.seed = 2;
  CHECK_FALSE(equal(take(source, other_seed, 1)[0], expected[0]));
}

TEST_CASE("loader: every photo once per epoch, in a new order each time; in file order without shuffle") {
  const PictureFolder folder;
  write_photos(folder, 7);
  const std::shared_ptr<const PhotoSource> source = open_photo_source({folder.path()});
  for (const bool shuffle : {true, false}) {
    LoaderOptions options = loader_options(2);
    options.batches.shuffle = shuffle;
    std::vector<std::int64_t> photos;
    for (const Batch& batch : take(source, options, 7)) {
      photos.insert(photos.end(), batch.photos.begin(), batch.photos.end());
    }
    std::set<std::vector<std::int64_t>> orders;
    for (int epoch = 0; epoch < 3; ++epoch) {
      const std::vector<std::int64_t> order(photos.begin() + epoch * 7, photos.begin() + epoch * 7 + 7);
      CHECK(std::set<std::int64_t>(order.begin(), order.end()).size() == 7);
      CHECK(std::is_sorted(order.begin(), order.end()) == !shuffle);
      orders.insert(order);
    }
    CHECK(orders.size() == (shuffle ? 3 : 1));
  }
}

TEST_CASE("loader: random crops are squares from along the long side, all places occur") {
  const PictureFolder folder;
  encode_image(folder / "wide/a.png", marked_photo(1, 8, 11));
  encode_image(folder / "high/a.png", marked_photo(1, 11, 8));
  for (const bool wide : {true, false}) {
    LoaderOptions options = loader_options(0);
    std::set<int> places;
    for (const Batch& batch : take(open_photo_source({folder / (wide ? "wide" : "high")}), options, 30)) {
      for (std::int64_t j = 0; j < 3; ++j) {
        const std::uint8_t* pixels = batch.pixels.data() + j * 8 * 8 * 3;
        const int left = pixels[1], top = pixels[2];
        CHECK((wide ? top : left) == 0);
        places.insert(wide ? left : top);
        for (int y = 0; y < 8; ++y) {
          for (int x = 0; x < 8; ++x) {
            REQUIRE(pixels[(y * 8 + x) * 3] == 1);
            REQUIRE(pixels[(y * 8 + x) * 3 + 1] == left + x);
            REQUIRE(pixels[(y * 8 + x) * 3 + 2] == top + y);
          }
        }
      }
    }
    CHECK(places == std::set<int>{0, 1, 2, 3});
  }
}

TEST_CASE("loader: center crop, and no crop at all") {
  const PictureFolder folder;
  encode_image(folder / "a.png", marked_photo(1, 8, 12));
  LoaderOptions options = loader_options(0);
  options.batches.crop = CropMode::Center;
  CHECK(take(open_photo_source({folder.path()}), options, 1)[0].pixels[1] == 2);

  options.batches.crop = CropMode::None;
  CHECK_THROWS_WITH_AS(take(open_photo_source({folder.path()}), options, 1),
                       doctest::Contains("a.png: 12 x 8 pixels, expected 8 x 8"), Error);
  encode_image(folder / "b.png", marked_photo(2, 8, 8));
  const Batch batch = take(open_photo_source({folder.path()}), options, 1)[0];
  CHECK(batch.photos == std::vector<std::int64_t>{1, 1, 1});
  CHECK(std::equal(batch.pixels.begin(), batch.pixels.begin() + 192, marked_photo(2, 8, 8).pixels.begin()));
}

TEST_CASE("loader: large photos are scaled to the short side, transparent ones shown on white") {
  const PictureFolder folder;
  encode_image(folder / "a.png", Image(40, 64, 4, 0));
  const Batch batch = take(open_photo_source({folder.path()}), loader_options(0), 1)[0];
  CHECK(batch.pixels == std::vector<std::uint8_t>(3 * 8 * 8 * 3, 255));
}

TEST_CASE("loader: bad photos are replaced the same way every time and reported once") {
  const PictureFolder folder;
  write_photos(folder, 5);
  folder.write("b.png", "not a picture");
  encode_image(folder / "d.png", Image(1, 40, 3));
  const std::shared_ptr<const PhotoSource> source = open_photo_source({folder.path()});
  const std::vector<Batch> expected = take(source, loader_options(0), 10);
  for (const Batch& batch : expected) {
    for (std::size_t j = 0; j < 3; ++j) {
      CHECK(batch.photos[j] != 1);
      CHECK(batch.photos[j] != 3);
      CHECK(batch.pixels[j * 192] == batch.photos[j]);
    }
  }
  Loader loader(source, loader_options(3));
  CHECK(loader.bad_photos().size() <= 2);
  for (const Batch& batch : expected) CHECK(equal(loader.next(), batch));
  const std::vector<BadPhoto> bad = loader.bad_photos();
  REQUIRE(bad.size() == 2);
  CHECK(bad[0].name == folder / "b.png");
  CHECK(bad[0].reason ==
        folder / "b.png: not a JPEG, PNG, WebP or BMP picture (found text); convert or remove it");
  CHECK(bad[1].reason == folder /
                             "d.png: 40 x 1 pixels are too narrow a picture to train on (at most 16:1); "
                             "cut it or remove it");
  CHECK(loader.bad_photo_summary(1) ==
        "2 photos could not be used and were replaced by others:\n  " + bad[0].reason + "\n  ... and 1 more");
}

TEST_CASE("loader: when no photo can be used, next says so, every time") {
  const PictureFolder folder;
  folder.write("a.jpg", "");
  for (const int workers : {0, 2}) {
    Loader loader(open_photo_source({folder.path()}), loader_options(workers));
    const std::string expected =
        "photos: none of 1 photos in a row can be used; the first: " + (folder / "a.jpg") +
        ": the file is empty (0 bytes); fetch it again";
    CHECK_THROWS_WITH_AS(loader.next(), expected.c_str(), Error);
    CHECK_THROWS_WITH_AS(loader.next(), expected.c_str(), Error);
  }
}

TEST_CASE("loader: other failures than bad photos come out of next as they are") {
  class BrokenSource : public PhotoSource {
   public:
    std::int64_t count() const override { return 1; }
    std::string name(std::int64_t) const override { return "x"; }
    Image read(std::int64_t, std::int64_t) const override { throw std::bad_alloc(); }
  };
  Loader loader(std::make_shared<BrokenSource>(), loader_options(1));
  CHECK_THROWS_AS(loader.next(), std::bad_alloc);
  CHECK(loader.bad_photos().empty());
  CHECK(loader.bad_photo_summary() == "");
}

TEST_CASE("loader: ends cleanly at any moment") {
  const PictureFolder folder;
  write_photos(folder, 3);
  const std::shared_ptr<const PhotoSource> source = open_photo_source({folder.path()});
  for (int i = 0; i < 30; ++i) {
    Loader loader(source, loader_options(1 + i % 3));
    for (int j = 0; j < i % 4; ++j) loader.next();
  }
}

TEST_CASE("packed images: the loader gives the same pixels as from the files, cut from the middle") {
  const PictureFolder folder;
  write_photos(folder, 5);
  const std::string packed = folder / "photos.h5";
  PackedImagesWriter writer(packed, 8);
  for (const std::string& path : list_photos({folder.path()})) {
    writer.append(center_crop(fit_short_side(read_photo(path), 8, path), 8), path);
  }
  CHECK_FALSE(std::filesystem::exists(packed));
  writer.close();
  const std::shared_ptr<const PhotoSource> source = open_photo_source({packed});
  CHECK(source->count() == 5);
  CHECK(source->name(2) == folder / "c.png");
  LoaderOptions options = loader_options(3);
  options.batches.crop = CropMode::Center;
  const std::vector<Batch> from_files = take(open_photo_source({folder.path()}), options, 6);
  options.batches.crop = CropMode::None;
  const std::vector<Batch> from_packed = take(source, options, 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(equal(from_files[i], from_packed[i]));
}

TEST_CASE("packed images: wrong files and unfinished writing") {
  const PictureFolder folder;
  {
    PackedImagesWriter writer(folder / "photos.h5", 8);
    writer.append(Image(8, 8, 3), "a");
    CHECK_THROWS_WITH_AS(writer.append(Image(8, 9, 3), "b.png"),
                         doctest::Contains("cannot pack 'b.png' of 9 x 8"), Error);
  }
  CHECK(std::filesystem::is_empty(folder.path()));
  {
    PackedImagesWriter writer(folder / "photos.h5", 8);
    CHECK_THROWS_WITH_AS(writer.close(), doctest::Contains("there is no picture"), Error);
  }
  H5Writer other(folder / "weights.h5");
  other.attribute("/", "format", "chiaro_weights");
  other.attribute("/", "version", std::int64_t{1});
  other.close();
  CHECK_THROWS_WITH_AS(
      open_photo_source({folder / "weights.h5"}),
      doctest::Contains("weights.h5: not a file of packed photos (format 'chiaro_weights', expected "
                        "'chiaro_images'); make one with pack_images"),
      Error);
  CHECK_THROWS_WITH_AS(open_photo_source({folder.write("a.txt", "hello")}), doctest::Contains("a.txt"),
                       Error);
}
