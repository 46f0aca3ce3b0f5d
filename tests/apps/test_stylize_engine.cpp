// The program stylize_engine from the outside, with a tiny random model.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "engine/file_util.hpp"
#include "engine/image/image.hpp"
#include "engine/io/weights_file.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/networks/transform_net/transform_model.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/hash_weights.hpp"
#include "tests/support/picture_bytes.hpp"
#include "tests/support/picture_folder.hpp"
#include "tests/support/run_program.hpp"

using namespace chiaro;
using test::contains;
using test::ProgramResult;

namespace {

// A folder with model.h5: width 4, one block, results that vary with the picture.
class StylizeWorkplace : public test::PictureFolder {
 public:
  StylizeWorkplace() {
    const TransformNet config{.width = 4, .residual_blocks = 1};
    ParamStore params(ParamStore::Kind::Frozen);
    declare_transform_net(params, config);
    params.allocate();
    initialize_transform_net(params, config, 1);
    float* out_weight = params.value(static_cast<int>(params.find("out.weight") - params.entries().data()));
    std::for_each(out_weight, out_weight + 3 * 81 * 4, [](float& v) { v *= 50; });
    write_weights(model(), transform_weights_file(params, config, "{}"));
  }
  std::string model() const { return *this / "model.h5"; }

  Image add_photo(const std::string& name, std::int64_t height, std::int64_t width, int channels = 3) const {
    Image image(height, width, channels);
    const auto values = test::hash_picture(name, 1, height, width);
    for (std::int64_t p = 0; p < height * width; ++p) {
      std::copy_n(&values[3 * p], 3, &image.pixels[channels * p]);
      if (channels == 4) image.pixels[4 * p + 3] = static_cast<std::uint8_t>(p % width * 255 / width);
    }
    encode_image(*this / name, image);
    return image;
  }

  // Runs the program on one thread in fp32.
  ProgramResult stylize(std::vector<std::string> arguments, bool with_model = true) const {
    std::vector<std::string> all{"--threads", "1", "--precision", "fp32"};
    if (with_model) all.insert(all.end(), {"--model", model()});
    all.insert(all.end(), arguments.begin(), arguments.end());
    return test::run_program(test::program_path("stylize_engine"), all);
  }

  // What the network makes of an RGB picture.
  Image expected(const Image& rgb) const {
    Context context(1);
    const TransformModel model = make_transform_model(read_weights(this->model()), "model.h5");
    Stylizer stylizer(context, *model.params, model.config, rgb.height, rgb.width, DType::F32);
    Image result(rgb.height, rgb.width, 3);
    stylizer.run(rgb.pixels.data(), result.pixels.data());
    return result;
  }
};

// A 16x16 PNG of any kind, uncompressed.
std::string png_16x16(int bits, int color_type, const std::string& pixels) {
  std::string rows;
  for (std::size_t y = 0; y < 16; ++y)  // filter type 0
    rows += '\0' + pixels.substr(y * pixels.size() / 16, pixels.size() / 16);
  return test::png_start(16, 16, bits, color_type) + test::png_chunk("IDAT", test::stored(rows)) +
         test::png_chunk("IEND", "");
}

void write_bmp(const std::string& path, std::int64_t size) {  // 24 bits, all (10, 20, 30); size % 4 = 0
  std::string bytes(54 + static_cast<std::size_t>(size * size * 3), '\0');
  const auto put = [&](std::size_t at, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> 8 * i);
  };
  bytes[0] = 'B', bytes[1] = 'M';
  put(2, static_cast<std::uint32_t>(bytes.size()));
  put(10, 54), put(14, 40), put(18, static_cast<std::uint32_t>(size));
  put(22, static_cast<std::uint32_t>(size)), put(26, 1 | 24 << 16);
  for (std::size_t i = 54; i < bytes.size(); ++i) bytes[i] = static_cast<char>(30 - (i - 54) % 3 * 10);
  write_text(path, bytes);
}

// A JPEG with an EXIF orientation inserted behind its first marker.
void add_orientation(const std::string& path, char orientation) {
  const std::string jpeg = read_text(path);
  const std::string tiff = std::string("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19) + orientation +
                           std::string("\0\0\0\0\0\0", 6);
  const std::string body = std::string("Exif\0\0", 6) + tiff;
  const std::string segment = std::string("\xff\xe1\0", 3) + static_cast<char>(body.size() + 2) + body;
  write_text(path, jpeg.substr(0, 2) + segment + jpeg.substr(2));
}

int largest_difference(const Image& a, const Image& b) {
  REQUIRE(a.pixels.size() == b.pixels.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    largest = std::max(largest, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  return largest;
}

}  // namespace

TEST_CASE("stylize_engine: one picture, its size, exactly the network's result") {
  const StylizeWorkplace at;
  const Image photo = at.add_photo("photo.png", 45, 61);
  const ProgramResult run = at.stylize({at / "photo.png", "-o", at / "new/styled.png"});
  CHECK(run.err == "");
  CHECK(run.status == 0);
  CHECK(contains(run.out, "styled.png: 61x45 pixels, "));
  CHECK(decode_image(at / "new/styled.png") == at.expected(photo));
  CHECK(decode_image(at / "photo.png") == photo);
  // No temporary file is left.
  CHECK(std::distance(std::filesystem::directory_iterator(at / "new"), {}) == 1);
}

TEST_CASE("stylize_engine: a folder, sub-folders, formats") {
  const StylizeWorkplace at;
  const Image a = at.add_photo("in/a.png", 20, 30);
  at.add_photo("in/sub/b.jpg", 40, 24);
  at.add_photo("in/sub/c.png", 20, 30);
  write_bmp(at / "in/sub/d.bmp", 20);
  const ProgramResult run = at.stylize({at / "in", "-o", at / "out"});
  CHECK(run.err == "");
  CHECK(run.status == 0);
  CHECK(decode_image(at / "out/a.png") == at.expected(a));
  CHECK(probe_image(at / "out/sub/b.jpg").format == ImageFormat::Jpeg);
  CHECK(probe_image(at / "out/sub/b.jpg").height == 40);
  CHECK(probe_image(at / "out/sub/c.png").format == ImageFormat::Png);
  CHECK(probe_image(at / "out/sub/d.png").width == 20);

  CHECK(at.stylize({at / "in", "-o", at / "jpegs", "--format", "jpg"}).status == 0);
  for (const char* name : {"jpegs/a.jpg", "jpegs/sub/b.jpg", "jpegs/sub/c.jpg", "jpegs/sub/d.jpg"})
    CHECK(probe_image(at / name).format == ImageFormat::Jpeg);
}

TEST_CASE("stylize_engine: EXIF orientation is applied") {
  const StylizeWorkplace at;
  at.add_photo("photo.jpg", 32, 48);
  add_orientation(at / "photo.jpg", 6);
  const Image upright = decode_image(at / "photo.jpg");
  REQUIRE(upright.height == 48);
  REQUIRE(at.stylize({at / "photo.jpg", "-o", at / "styled.png"}).status == 0);
  CHECK(decode_image(at / "styled.png") == at.expected(upright));
}

TEST_CASE("stylize_engine: alpha is kept and hidden colors have no influence") {
  const StylizeWorkplace at;
  Image photo = at.add_photo("photo.png", 24, 32, 4);
  REQUIRE(at.stylize({at / "photo.png", "-o", at / "styled.png"}).status == 0);
  const Image styled = decode_image(at / "styled.png");
  REQUIRE(styled.channels == 4);
  bool same_alpha = true;
  for (std::size_t p = 3; p < photo.pixels.size(); p += 4)
    same_alpha = same_alpha && styled.pixels[p] == photo.pixels[p];
  CHECK(same_alpha);

  for (std::size_t p = 0; p < photo.pixels.size(); p += 4)
    if (photo.pixels[p + 3] == 0) photo.pixels[p] = photo.pixels[p] < 128 ? 255 : 0;
  encode_image(at / "other.png", photo);
  REQUIRE(at.stylize({at / "other.png", "-o", at / "other_styled.png"}).status == 0);
  CHECK(decode_image(at / "other_styled.png") == styled);

  // A JPEG has no alpha: it shows the result on white.
  REQUIRE(at.stylize({at / "photo.png", "-o", at / "styled.jpg"}).status == 0);
  const Image jpeg = decode_image(at / "styled.jpg");
  encode_image(at / "flat.jpg", flatten_alpha(styled));
  CHECK(largest_difference(jpeg, decode_image(at / "flat.jpg")) == 0);

  // An opaque RGBA picture gives what the RGB picture gives; an invisible one works.
  Image opaque = photo;
  for (std::size_t p = 3; p < opaque.pixels.size(); p += 4) opaque.pixels[p] = 255;
  encode_image(at / "opaque.png", opaque);
  REQUIRE(at.stylize({at / "opaque.png", "-o", at / "opaque_styled.png"}).status == 0);
  CHECK(flatten_alpha(decode_image(at / "opaque_styled.png")) == at.expected(flatten_alpha(opaque)));
  encode_image(at / "invisible.png", Image(16, 16, 4, 0));
  CHECK(at.stylize({at / "invisible.png", "-o", at / "invisible_styled.png"}).status == 0);
}

TEST_CASE("stylize_engine: gray and 16-bit pictures are accepted") {
  const StylizeWorkplace at;
  std::string pixels;
  for (int i = 0; i < 16 * 16 * 6; ++i) pixels += static_cast<char>(i * i / 7);
  at.write("in/gray.png", png_16x16(8, 0, pixels.substr(0, 16 * 16)));
  at.write("in/deep.png", png_16x16(16, 2, pixels));
  REQUIRE(at.stylize({at / "in", "-o", at / "out"}).status == 0);
  for (const std::string name : {"gray.png", "deep.png"})
    CHECK(decode_image(at / ("out/" + name)) == at.expected(decode_image(at / ("in/" + name))));
}

TEST_CASE("stylize_engine: --max-size scales larger pictures down and leaves others") {
  const StylizeWorkplace at;
  const Image large = at.add_photo("in/large.png", 60, 90);
  at.add_photo("in/small.png", 30, 20);
  REQUIRE(at.stylize({at / "in", "-o", at / "out", "--max-size", "45"}).status == 0);
  CHECK(decode_image(at / "out/large.png") == at.expected(resize(large, 30, 45)));
  CHECK(probe_image(at / "out/small.png").height == 30);
  at.add_photo("flat.png", 20, 90);
  const ProgramResult run = at.stylize({at / "flat.png", "-o", at / "out", "--max-size", "45"});
  CHECK(run.err == "stylize_engine: " + at / "flat.png" +
                       ": 45x10 pixels (after --max-size) are too few; at least 16x16 are needed\n");
  CHECK(run.status == 1);
}

TEST_CASE("stylize_engine: bad pictures do not stop the others") {
  const StylizeWorkplace at;
  at.add_photo("in/good.png", 20, 20);
  at.add_photo("in/tiny.png", 12, 40);
  at.write("in/text.jpg", "no picture");
  at.add_photo("cut.png", 64, 64);
  const std::string cut = read_text(at / "cut.png");
  at.write("in/cut.png", cut.substr(0, cut.size() / 2));
  const ProgramResult run = at.stylize({at / "in", "-o", at / "out"});
  CHECK(run.status == 1);
  CHECK(std::filesystem::exists(at / "out/good.png"));
  CHECK(std::distance(std::filesystem::directory_iterator(at / "out"), {}) == 1);
  CHECK(contains(run.err, "stylize_engine: " + at / "in/tiny.png" +
                              ": 40x12 pixels are too few; at least 16x16 are needed\n"));
  CHECK(contains(run.err, "stylize_engine: " + at / "in/text.jpg" + ": "));
  CHECK(contains(run.err, "stylize_engine: " + at / "in/cut.png" + ": the PNG data ends early"));
  CHECK(run.err.ends_with("stylize_engine: 3 of 4 pictures were not styled; the reasons are above\n"));
  CHECK(std::count(run.err.begin(), run.err.end(), '\n') == 4);
}

TEST_CASE("stylize_engine: a JPEG that ends in its header is refused in one line") {
  const StylizeWorkplace at;
  at.write("cut.jpg", std::string_view("\xFF\xD8\xFF\xC0\0\x14\x08\0\x10\0\x10\x04", 12));
  const ProgramResult run = at.stylize({at / "cut.jpg", "-o", at / "out"});
  CHECK(run.status == 1);
  CHECK(run.err == "stylize_engine: " + (at / "cut.jpg") +
                       ": the file ends inside its header (12 bytes); it was cut off, fetch it again\n");
  CHECK(run.out == "");
}

TEST_CASE("stylize_engine: a picture that does not fit is refused before any work, with a size that fits") {
  const StylizeWorkplace at;
  at.add_photo("in/a.png", 16, 16);
  at.add_photo("in/large.png", 1600, 2000);
  const ProgramResult run = at.stylize({at / "in", "-o", at / "out", "--memory-limit", "140"});
  CHECK(run.status == 1);
  CHECK(std::filesystem::exists(at / "out/a.png"));
  CHECK(!std::filesystem::exists(at / "out/large.png"));
  CHECK(contains(run.err, "large.png: 2000x1600 pixels need about "));
  CHECK(contains(run.err, " MiB, 140.0 MiB are available; "));
  CHECK(contains(run.err, "no smaller size of it would fit either"));

  const ProgramResult more = at.stylize({at / "in/large.png", "-o", at / "out", "--memory-limit", "220"});
  const std::string advice = "the largest size with this aspect that fits is ";
  REQUIRE(contains(more.err, advice));
  const std::string size = more.err.substr(more.err.find("(--max-size ") + 12);
  const std::string fits = size.substr(0, size.find(')'));
  CHECK(at.stylize({at / "in/large.png", "-o", at / "out", "--memory-limit", "220", "--max-size", fits})
            .status == 0);
  CHECK(at.stylize({at / "in/large.png", "-o", at / "out", "--memory-limit", "220", "--max-size",
                    std::to_string(std::stoi(fits) + 1)})
            .status == 1);
}

TEST_CASE("stylize_engine: inputs are never overwritten, collisions stop the run before work") {
  const StylizeWorkplace at;
  const Image photo = at.add_photo("a.png", 20, 20);
  at.add_photo("sub/a.png", 20, 20);
  const ProgramResult same = at.stylize({at / "a.png", "-o", at / "a.png"});
  CHECK(same.status == 1);
  CHECK(same.err == "stylize_engine: " + at / "a.png" + ": the result of " + at / "a.png" +
                        " would overwrite this input; choose another output\n");
  CHECK(decode_image(at / "a.png") == photo);
  const ProgramResult both = at.stylize({at / "a.png", at / "sub/a.png", "-o", at / "out"});
  CHECK(both.status == 1);
  CHECK(contains(both.err, "would be the result of both"));
  CHECK(!std::filesystem::exists(at.path() + "/out"));
}

TEST_CASE("stylize_engine: --verbose says what was done and what it took") {
  const StylizeWorkplace at;
  at.add_photo("a.png", 20, 30);
  const ProgramResult run = at.stylize({at / "a.png", "-o", at / "b.png", "--verbose"});
  REQUIRE(run.status == 0);
  for (const char* part : {"model.h5: width 4, 1 residual blocks, ", " parameters\n", "CPU, ", ", 1 thread, ",
                           " available\n", "b.png: 30x20 pixels, ", "fp32, ", " planned; decode ",
                           " ms, network ", " ms, encode ", "peak resident memory "})
    CHECK_MESSAGE(contains(run.out, part), part, " in ", run.out);
}

TEST_CASE("stylize_engine: the same picture twice gives the same file, at both precisions") {
  const StylizeWorkplace at;
  at.add_photo("a.png", 50, 70);
  for (const std::string precision : {"fp32", "bf16"}) {
    for (const char* name : {"x.png", "y.png"})
      REQUIRE(test::run_program(test::program_path("stylize_engine"),
                                {"--model", at.model(), at / "a.png", "-o", at / name, "--threads", "2",
                                 "--precision", precision})
                  .status == 0);
    CHECK(read_text(at / "x.png") == read_text(at / "y.png"));
  }
}

TEST_CASE("stylize_engine: mistakes on the command line") {
  const StylizeWorkplace at;
  at.add_photo("a.png", 20, 20);
  CHECK(at.stylize({at / "a.png"}).status == 2);
  CHECK(at.stylize({"-o", at / "b.png"}).status == 2);
  CHECK(at.stylize({at / "a.png", "-o", at / "b.png", "--max-size", "8"}).status == 2);
  CHECK(at.stylize({at / "a.png", "-o", at / "b.png", "--format", "webp"}).status == 2);
  CHECK(at.stylize({at.path() + "/nowhere.png", "-o", at / "b.png"}).err ==
        "stylize_engine: " + at.path() + "/nowhere.png: no such file or folder\n");

  const ProgramResult unknown =
      at.stylize({"--model", "no_such_style", at / "a.png", "-o", at / "b.png"}, false);
  CHECK(unknown.status == 1);
  CHECK(contains(unknown.err,
                 "stylize_engine: no_such_style: no such file, and no model of this name "
                 "comes with chiaro ("));
  at.write("broken.h5", "no weights");
  const ProgramResult broken =
      at.stylize({"--model", at / "broken.h5", at / "a.png", "-o", at / "b.png"}, false);
  CHECK(broken.status == 1);
  CHECK(contains(broken.err, "broken.h5: "));

  const ProgramResult help = at.stylize({"--help"}, false);
  CHECK(help.status == 0);
  for (const char* part : {"Examples:", "--model", "--max-size", "--memory-limit", "--precision"})
    CHECK(contains(help.out, part));
}

TEST_CASE("stylize_engine: --strip writes photographs above their results") {
  const StylizeWorkplace here;
  const Image photo = here.add_photo("a.png", 40, 60);
  here.add_photo("b.png", 60, 40);
  const ProgramResult run =
      here.stylize({here / "a.png", here / "b.png", "-o", here / "out", "--strip", here / "strip.png"});
  CHECK(run.status == 0);
  const Image strip = decode_image(here / "strip.png");
  CHECK(strip.height == 2 * 240 + 4);
  CHECK(strip.width == 360 + 160 + 4);
  const Image above = crop(strip, 0, 0, 240, 360), below = crop(strip, 244, 0, 240, 360);
  CHECK(above == resize(photo, 240, 360));
  CHECK(below == resize(decode_image(here / "out/a.png"), 240, 360));
}

namespace {

// A network of three styles whose pictures differ.
void write_three_styles(const std::string& path) {
  const TransformNet config{.width = 4,
                            .residual_blocks = 1,
                            .output = OutputRange::Scaled150,
                            .styles = {"wave", "scream", "night"}};
  ParamStore params(ParamStore::Kind::Frozen);
  declare_transform_net(params, config);
  params.allocate();
  initialize_transform_net(params, config, 1);
  for (int i = 0; i < static_cast<int>(params.entries().size()); ++i)
    if (params.entries()[i].name.ends_with(".gamma"))
      for (std::int64_t k = 0; k < params.entries()[i].shape.count(); ++k)
        params.value(i)[k] += static_cast<float>(k % 7 * (k / params.entries()[i].shape.c));
  write_weights(path, transform_weights_file(params, config, "{}"));
}

}  // namespace

TEST_CASE("stylize_engine: --style takes one style, a mixture, or all") {
  const StylizeWorkplace here;
  write_three_styles(here / "three.h5");
  const Image photo = here.add_photo("a.png", 40, 52);
  here.add_photo("b.jpg", 33, 48);
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--model", here / "three.h5"});
    return here.stylize(arguments, false);
  };
  const auto expected = [&](const std::string& style) {
    Context context(1);
    const TransformModel model =
        make_transform_model(read_weights(here / "three.h5"), "three.h5", parse_style_shares(style));
    Stylizer stylizer(context, *model.params, model.config, photo.height, photo.width, DType::F32);
    Image result(photo.height, photo.width, 3);
    stylizer.run(photo.pixels.data(), result.pixels.data());
    return result;
  };
  CHECK(expected("wave") != expected("night"));
  for (const std::string style : {"scream", "wave=0.6,night=0.4"}) {
    const ProgramResult one = run({here / "a.png", "-o", here / "one.png", "--style", style});
    CHECK_MESSAGE(one.status == 0, one.err);
    CHECK(decode_image(here / "one.png") == expected(style));
  }

  const ProgramResult all = run(
      {here / "a.png", here / "b.jpg", "-o", here / "out", "--style", "all", "--strip", here / "strip.png"});
  CHECK_MESSAGE(all.status == 0, all.err);
  for (const std::string style : {"wave", "scream", "night"}) {
    CHECK(decode_image(here / ("out/a_" + style + ".png")) == expected(style));
    CHECK(std::filesystem::exists(here / ("out/b_" + style + ".jpg")));
  }
  CHECK(decode_image(here / "strip.png").height == 4 * 240 + 3 * 4);

  const ProgramResult none = run({here / "a.png", "-o", here / "none.png"});
  CHECK(none.status == 1);
  CHECK(contains(none.err, "three.h5: has the styles wave, scream, night; say which"));
  const ProgramResult unknown = run({here / "a.png", "-o", here / "none.png", "--style", "waves"});
  CHECK(unknown.status == 1);
  CHECK(contains(unknown.err,
                 "three.h5: has no style 'waves'; there are: wave, scream, night; did you mean 'wave'?"));
  const ProgramResult unnamed = here.stylize({here / "a.png", "-o", here / "none.png", "--style", "all"});
  CHECK(unnamed.status == 1);
  CHECK(contains(unnamed.err, "has one style, without a name"));
}
