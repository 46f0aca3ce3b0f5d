// The banded form of the transform network against the graph, which is tested against golden values.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "engine/session.hpp"
#include "kernels/elementwise/image_convert.hpp"
#include "layers/networks/transform_net/banded_transform_net.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/hash_weights.hpp"

using namespace chiaro;
using Bytes = std::vector<std::uint8_t>;

namespace {

// Random parameters whose results spread over the whole range of a picture.
std::unique_ptr<ParamStore> random_parameters(const TransformNet& config) {
  auto store = std::make_unique<ParamStore>(ParamStore::Kind::Frozen);
  declare_transform_net(*store, config);
  store->allocate();
  int index = 0;
  for (const auto& entry : store->entries()) {
    float* value = store->value(index++);
    const bool weight = entry.name.ends_with(".weight");
    const std::vector<std::int64_t> shape =
        weight ? std::vector{entry.shape.n, entry.shape.h, entry.shape.w, entry.shape.c}
               : std::vector{entry.shape.c};
    const auto values = test::hash_tensor(entry.name, shape, test::kSeedTransform);
    const bool linear = config.output == OutputRange::Linear;
    const float factor = entry.name == "out.weight" ? (linear ? 32.f : 0.4f) : 1.f;
    std::transform(values.begin(), values.end(), value, [&](float v) { return factor * v; });
    if (linear && entry.name == "out.bias") std::fill_n(value, 3, 128.f);
  }
  store->values_changed();
  return store;
}

Bytes test_picture(std::int64_t height, std::int64_t width) {
  const auto pixels = test::hash_picture("banded", 1, height, width);
  return {pixels.begin(), pixels.end()};
}

Bytes run_graph(Context& context, ParamStore& store, const TransformNet& config, std::int64_t height,
                std::int64_t width, DType dtype) {
  Graph graph(context);
  const TensorId input = graph.add_input("picture", {{1, height, width, 3}, DType::F32});
  const TensorId output = build_transform_net(graph, store, input, config, dtype);
  graph.keep(output);
  Session session(std::move(graph), SessionOptions{});
  image_convert::to_tensor(context, test_picture(height, width).data(), session.tensor(input));
  session.forward();
  Bytes result(static_cast<std::size_t>(height * width * 3));
  image_convert::to_bytes(context, session.tensor(output), result.data());
  return result;
}

Bytes run_banded(BandedTransformNet& net, std::int64_t height, std::int64_t width) {
  Bytes result(static_cast<std::size_t>(height * width * 3), 77);
  net.run(test_picture(height, width).data(), result.data());
  return result;
}

struct Difference {
  int largest = 0;
  double mean = 0, differing = 0;  // mean of absolute differences, share of bytes that differ
};
Difference compare(const Bytes& a, const Bytes& b) {
  Difference d;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const int difference = std::abs(int{a[i]} - int{b[i]});
    d.largest = std::max(d.largest, difference);
    d.mean += difference / static_cast<double>(a.size());
    d.differing += (difference > 0) / static_cast<double>(a.size());
  }
  return d;
}

// How much a result varies: a comparison of flat gray pictures would prove nothing.
double spread(const Bytes& a) {
  double sum = 0, squares = 0;
  for (const int v : a) {
    sum += v;
    squares += double{1} * v * v;
  }
  const auto n = static_cast<double>(a.size());
  return std::sqrt(squares / n - sum / n * sum / n);
}

struct Size {
  std::int64_t height, width;
};
constexpr Size kSizes[] = {{16, 16}, {19, 22}, {64, 48}, {130, 97}};

// Stored and computed again, in bands as small as they get and as large.
constexpr BandedTransformNet::Options kOptions[] = {
    {.store_limit = 0, .band_bytes = 1},
    {.store_limit = 0, .band_bytes = 1 << 20},
    {.store_limit = 1 << 30, .band_bytes = 1},
    {.store_limit = 1 << 30, .band_bytes = 1 << 20},
};

TransformNet small(Padding padding = Padding::Reflect, OutputRange output = OutputRange::Linear) {
  return {.width = 4, .residual_blocks = 2, .padding = padding, .output = output};
}

}  // namespace

TEST_CASE("banded transform net: fp32 gives the picture of the graph") {
  Context context(2);
  for (const Padding padding : {Padding::Reflect, Padding::Zero})
    for (const OutputRange output : {OutputRange::Linear, OutputRange::Tanh150}) {
      const TransformNet config = small(padding, output);
      const auto store = random_parameters(config);
      for (const auto [height, width] : kSizes) {
        const Bytes expected = run_graph(context, *store, config, height, width, DType::F32);
        REQUIRE(spread(expected) > 20);
        for (const auto& options : kOptions) {
          CAPTURE(static_cast<int>(padding));
          CAPTURE(static_cast<int>(output));
          CAPTURE(height);
          CAPTURE(options.store_limit);
          CAPTURE(options.band_bytes);
          BandedTransformNet net(context, *store, config, height, width, DType::F32, options);
          const Difference d = compare(run_banded(net, height, width), expected);
          CHECK(d.largest <= 1);
          CHECK(d.differing < 2e-3);
        }
      }
    }
}

TEST_CASE("banded transform net: bf16 stays close to fp32") {
  Context context(2);
  for (const Padding padding : {Padding::Reflect, Padding::Zero}) {
    const TransformNet config = small(padding);
    const auto store = random_parameters(config);
    for (const auto [height, width] : kSizes) {
      const Bytes exact = run_graph(context, *store, config, height, width, DType::F32);
      const Difference graph = compare(run_graph(context, *store, config, height, width, DType::BF16), exact);
      for (const auto& options : kOptions) {
        CAPTURE(height);
        CAPTURE(options.store_limit);
        CAPTURE(options.band_bytes);
        BandedTransformNet net(context, *store, config, height, width, DType::BF16, options);
        const Difference d = compare(run_banded(net, height, width), exact);
        CHECK(d.mean < 1.5 * graph.mean + 0.1);  // the graph rounds at the same places
        CHECK(d.mean < 4);
      }
    }
  }
}

TEST_CASE("banded transform net: widths, no residual blocks, one thread") {
  Context context(1);
  for (const std::int64_t width : {1, 3, 8, 32})
    for (const std::int64_t blocks : {0, 1}) {
      CAPTURE(width);
      CAPTURE(blocks);
      const TransformNet config{.width = width, .residual_blocks = blocks};
      const auto store = random_parameters(config);
      const Bytes expected = run_graph(context, *store, config, 45, 70, DType::F32);
      for (const auto& options : kOptions) {
        BandedTransformNet net(context, *store, config, 45, 70, DType::F32, options);
        const Difference d = compare(run_banded(net, 45, 70), expected);
        CHECK(d.largest <= 1);
        CHECK(d.differing < 2e-3);
      }
    }
}

TEST_CASE("banded transform net: running twice gives the same bytes") {
  Context context(2);
  const TransformNet config = small();
  const auto store = random_parameters(config);
  for (const DType dtype : {DType::F32, DType::BF16})
    for (const auto& options : kOptions) {
      BandedTransformNet net(context, *store, config, 130, 97, dtype, options);
      const Bytes first = run_banded(net, 130, 97);
      CHECK(run_banded(net, 130, 97) == first);
      BandedTransformNet other(context, *store, config, 130, 97, dtype, options);
      CHECK(run_banded(other, 130, 97) == first);
    }
}

TEST_CASE("banded transform net: the estimate is what is planned") {
  Context context(2);
  for (const std::int64_t channels : {4, 32, 200}) {
    const TransformNet config{.width = channels, .residual_blocks = 1};
    const auto store = random_parameters(config);
    for (const DType dtype : {DType::F32, DType::BF16})
      for (const auto [height, width] :
           {Size{16, 16}, {17, 4000}, {4000, 17}, {300, 500}, {1001, 999}, {1500, 2300}, {32, 20000}}) {
        CAPTURE(channels);
        CAPTURE(height);
        CAPTURE(width);
        const std::int64_t estimate =
            BandedTransformNet::estimate_bytes(context, config, height, width, dtype);
        const BandedTransformNet net(context, *store, config, height, width, dtype);
        CHECK(net.planned_bytes() == estimate);
      }
  }
}

TEST_CASE("banded transform net: nothing is allocated by a run") {
  Context context(2);
  const TransformNet config = small();
  const auto store = random_parameters(config);
  for (const auto& options : kOptions)
    for (const auto [height, width] : kSizes) {
      BandedTransformNet net(context, *store, config, height, width, DType::F32, options);
      const std::int64_t planned = net.planned_bytes();
      run_banded(net, height, width);
      CHECK(net.planned_bytes() == planned);
    }
}

TEST_CASE("banded transform net: recomputing takes less memory than storing") {
  Context context(2);
  const TransformNet config{.width = 32, .residual_blocks = 1};
  const auto store = random_parameters(config);
  const BandedTransformNet stored(context, *store, config, 800, 600, DType::F32, {.store_limit = 1 << 30});
  const BandedTransformNet again(context, *store, config, 800, 600, DType::F32, {.store_limit = 0});
  CHECK(again.planned_bytes() < 0.75 * stored.planned_bytes());
}

TEST_CASE("banded transform net: refusals") {
  Context context(1);
  const TransformNet config = small();
  const auto store = random_parameters(config);
  CHECK(test::error_of([&] { BandedTransformNet(context, *store, config, 15, 40, DType::F32); }) ==
        "a picture of 40x15 pixels is too small: at least 16x16 are needed");
  TransformNet transposed = config;
  transposed.upsample = Upsample::Transposed;
  CHECK(test::error_of([&] { BandedTransformNet(context, *store, transposed, 16, 16, DType::F32); }) ==
        "the banded transform network upsamples by nearest neighbor only");
  ParamStore empty(ParamStore::Kind::Frozen);
  empty.allocate();
  CHECK(test::error_of([&] { BandedTransformNet(context, empty, config, 16, 16, DType::F32); }) ==
        "transform network: parameter 'conv1.weight' is missing");
}
