// Published style networks of PyTorch users, as downloaded, against the pictures that were published with
// them.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>

#include "engine/image/image.hpp"
#include "tests/support/real_data.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace chiaro;

namespace {

double psnr(const Image& a, const Image& b) {
  REQUIRE(a.pixels.size() == b.pixels.size());
  double squares = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const double difference = double(a.pixels[i]) - double(b.pixels[i]);
    squares += difference * difference;
  }
  return 10 * std::log10(255.0 * 255.0 * double(a.pixels.size()) / squares);
}

// The published pictures are JPEGs: 27.29 dB is what PyTorch's own float output reaches for candy.
void check_published(const char* model, const char* published, double least_db) {
  const auto data = test::real_data();
  if (!data) return;
  const test::TemporaryFolder folder;
  const std::string root = data->string(), output = folder / "styled.png";
  const auto result =
      test::run_program(test::program_path("stylize_engine"),
                        {"--model", root + "/johnson/" + model, root + "/photos/content/amber.jpg", "-o",
                         output, "--precision", "fp32"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const double found = psnr(decode_image(output), decode_image(root + "/johnson/" + published));
  MESSAGE(std::string(model), ": PSNR ", found, " dB");
  CHECK(found >= least_db);
}

}  // namespace

TEST_CASE("published styles: candy.pth, a zip file, paints its published picture") {
  check_published("candy.pth", "amber-candy.jpg", 27.2);
}

TEST_CASE("published styles: mosaic_nc16_legacy.pth, a legacy file, paints its published picture") {
  check_published("mosaic_nc16_legacy.pth", "amber-mosaic_nc16.jpg", 25);
}
