// One training step of the depth network against PyTorch in float64: prediction, berHu loss, the gradient of
// every parameter, the running statistics. What rounding alone does is in the file as fp32_nmse.
#include <doctest/doctest.h>

#include "tests/layers/upproj_training_step.hpp"
#include "tests/support/forced_implementation.hpp"

using namespace chiaro;
using namespace chiaro::test;

namespace {

UpprojStepConfig step_config(const H5Reader& file, const std::string& variant) {
  using Side = ResnetUpproj::Side;
  return {
      .network = {.width = file.integer_attribute(variant, "width"),
                  .has_stage5 = file.integer_attribute(variant, "last_stage") == 5,
                  .padding = file.string_attribute(variant, "padding") == "nyu" ? Side::Nyu : Side::Make3d},
      .picture = {file.integer_attribute(variant, "batch"), file.integer_attribute(variant, "height"),
                  file.integer_attribute(variant, "width_px"), 3}};
}

// Checks the tensors of one slab against the rows of a table: their norm, then samples.
template <class Allowed>
void check_rows(const H5Reader& file, const std::string& table, const ParamStore& store,
                std::span<const float> slab, Allowed&& allowed) {
  std::map<std::string, ParamStore::Entry> sorted;
  for (const auto& entry : store.entries()) sorted[entry.name] = entry;
  const auto shape = file.shape(table);
  const auto rows = file.floats(table);
  REQUIRE(shape[0] == std::ssize(sorted));
  const std::int64_t samples = shape[1] - 1;
  std::int64_t row = 0;
  for (const auto& [name, entry] : sorted) {
    CAPTURE(name);
    const float* expected = rows.data() + row * (samples + 1);
    const std::int64_t count = entry.shape.count();
    const std::span<const float> found =
        slab.subspan(static_cast<std::size_t>(entry.offset), static_cast<std::size_t>(count));
    const double limit = allowed(row++), largest = std::sqrt(limit) * double(expected[0]);
    CHECK(std::abs(norm(found) - double(expected[0])) <= largest);
    double error = 0;
    for (std::int64_t i = 0; i < samples; ++i) {
      const double d = double(found[static_cast<std::size_t>(i * 104729 % count)]) - double(expected[1 + i]);
      error = std::max(error, std::abs(d));
    }
    CHECK(error <= largest);
  }
}

}  // namespace

namespace {

// least: NMSE that the gradient of every parameter may have.
void check_step(double least) {
  const H5Reader file = golden("upproj_training");
  for (const std::string& variant : file.groups()) {
    CAPTURE(variant);
    Context context(1);
    UpprojStep step(context, step_config(file, variant));
    step.forward();
    check_sampled(file, variant + "/prediction", step.session().tensor(step.prediction()),
                  10 * fp32_nmse(file, variant + "/prediction") + 1e-13);
    const double loss = file.floats(variant + "/loss").at(0);
    CHECK(std::abs(step.session().loss("depth") - loss) <= 1e-5 * loss);
    check_rows(file, variant + "/running", step.statistics(), step.statistics().values(),
               [](std::int64_t) { return 1e-10; });
    step.session().backward();
    const auto rounding = file.floats(variant + "/gradients_fp32_nmse");
    check_rows(file, variant + "/gradients", step.params(), step.params().gradients(),
               [&](std::int64_t row) { return std::max(20 * double(rounding[row]), least); });
  }
}

}  // namespace

TEST_CASE("upproj training: prediction, loss, gradients and running statistics are PyTorch's") {
  const ForcedImplementation reference("conv2d:reference");  // which sums in double
  check_step(1e-12);
}

// Sums in fp32 differ between instruction sets, and where the input of a ReLU is that near to 0 it opens on one and
// not on the other: every gradient before it then moves, by up to 1.5 % of its norm with SSE4.1.
TEST_CASE("upproj training: with fast convolutions the same but for single ReLUs") {
  check_step(1e-3);
}

// With bf16 activations gradients have the right direction, no more: PyTorch's would differ as much.
TEST_CASE("upproj training: bf16 gradients point where the fp32 ones do") {
  const H5Reader file = golden("upproj_training");
  UpprojStepConfig config = step_config(file, "nyu_res4");
  Context context(1);
  UpprojStep exact(context, config);
  config.dtype = DType::BF16;
  UpprojStep rounded(context, config);
  exact.forward();
  rounded.forward();
  CHECK(rounded.session().loss("depth") == doctest::Approx(exact.session().loss("depth")).epsilon(0.02));
  exact.session().backward();
  rounded.session().backward();
  const auto a = exact.params().gradients(), b = rounded.params().gradients();
  double product = 0;
  for (std::size_t i = 0; i < a.size(); ++i) product += double(a[i]) * double(b[i]);
  const double cosine = product / (norm(a) * norm(b));
  CAPTURE(cosine);
  CHECK(cosine >= 0.9);
}
