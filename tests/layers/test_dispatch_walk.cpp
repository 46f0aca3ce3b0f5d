// Who computes the convolutions of our networks: never the plain reference loops, whatever the instruction set.
// CTest runs this file again for each of oneDNN's instruction sets (ONEDNN_MAX_CPU_ISA).
#include <doctest/doctest.h>

#include "engine/session_plan.hpp"
#include "layers/networks/resnet_upproj/upproj_training.hpp"
#include "layers/networks/transform_net/banded_transform_net.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/networks/vgg/vgg_graph.hpp"
#include "tests/support/forced_implementation.hpp"

using namespace chiaro;

namespace {

// Plans what `build(graph)` adds, with the backward pass, without memory for it.
template <class Build>
DispatchTally planned(Build&& build) {
  Context context(2);
  Graph graph(context);
  build(graph);
  (void)plan_session(graph, {.backward = true});
  return context.tally();
}

void check(const std::string& what, const DispatchTally& tally) {
  CAPTURE(what);
  REQUIRE(tally.work > 0);
  std::string problems;
  for (const std::string& problem : tally.reference_problems) problems += "\n  " + problem;
  CHECK_MESSAGE(tally.on_reference == 0, "on the reference loops:" << problems);
  CHECK(tally.complaint() == "");
}

std::string text_of(Shape picture, DType dtype) {
  return fmt::format("{} {}", to_string(picture), name_of(dtype));
}

constexpr DType kTypes[] = {DType::F32, DType::BF16};

}  // namespace

TEST_CASE("dispatch walk: training the transform network") {
  for (const std::int64_t size : {64, 96, 128, 160, 192, 256, 512})
    for (const std::int64_t batch : {1, 4})
      for (const std::int64_t width : {8, 16, 32})
        for (const Upsample upsample : {Upsample::Nearest, Upsample::Transposed})
          for (const DType dtype : kTypes) {
            const TransformNet config{.width = width, .residual_blocks = 1, .upsample = upsample};
            const Shape picture{batch, size, size, 3};
            ParamStore store(ParamStore::Kind::Trainable);
            check(fmt::format("width {} {}", width, text_of(picture, dtype)), planned([&](Graph& graph) {
                    build_transform_net(graph, store, graph.add_input("photo", {picture, DType::F32}), config,
                                        dtype);
                  }));
          }
}

TEST_CASE("dispatch walk: odd widths and sizes") {
  for (const std::int64_t width : {1, 3, 12, 20, 33, 48}) {
    const TransformNet config{.width = width, .residual_blocks = 1, .padding = Padding::Zero};
    const Shape picture{2, 132, 100, 3};
    ParamStore store(ParamStore::Kind::Trainable);
    check(fmt::format("width {}", width), planned([&](Graph& graph) {
            build_transform_net(graph, store, graph.add_input("photo", {picture, DType::F32}), config,
                                DType::F32);
          }));
  }
}

TEST_CASE("dispatch walk: VGG on generated pictures") {
  for (const std::int64_t width : {16, 64})
    for (const Shape picture : {Shape{1, 64, 64, 3}, Shape{4, 256, 256, 3}, Shape{2, 160, 160, 3},
                                Shape{1, 333, 500, 3}, Shape{4, 512, 512, 3}})
      for (const DType dtype : kTypes) {
        ParamStore store(ParamStore::Kind::Frozen);
        check(fmt::format("width {} {}", width, text_of(picture, dtype)), planned([&](Graph& graph) {
                const TensorId input = graph.add_input("picture", {picture, DType::F32}, true);
                build_vgg(graph, store, input, {.width = width}, dtype, {"relu5_4"}, "");
              }));
      }
}

TEST_CASE("dispatch walk: the depth network in the loss and in training") {
  for (const bool has_stage5 : {true, false})
    for (const DType dtype : kTypes) {
      const ResnetUpproj config{.has_stage5 = has_stage5, .decoder_width = has_stage5 ? 0 : 256};
      for (const Shape picture : {Shape{1, 64, 64, 3}, Shape{4, 256, 256, 3}, Shape{1, 480, 640, 3}}) {
        ParamStore store(ParamStore::Kind::Frozen);
        check(text_of(picture, dtype), planned([&](Graph& graph) {
                const TensorId input = graph.add_input("picture", {picture, DType::F32}, true);
                build_resnet_upproj(graph, store, input, config, dtype, {"prediction"}, "");
              }));
      }
      ParamStore params(ParamStore::Kind::Trainable), statistics(ParamStore::Kind::Frozen);
      check("training", planned([&](Graph& graph) {
              const TensorId input = graph.add_input("picture", {{8, 228, 304, 3}, DType::F32});
              build_resnet_upproj_training(graph, params, statistics, input, config, dtype);
            }));
    }
}

TEST_CASE("dispatch walk: heads of the size that segmentation networks have") {
  for (const Shape x : {Shape{1, 32, 32, 256}, Shape{4, 64, 64, 512}})
    for (const std::int64_t classes : {19, 150, 151})
      for (const std::int64_t extent : {1, 3})
        for (const DType dtype : kTypes) {
          Context context(2);
          const std::int64_t pad = extent / 2;
          const auto plan = conv2d::Plan::make(context, {.x = x,
                                                         .k = classes,
                                                         .r = extent,
                                                         .s = extent,
                                                         .pad = {pad, pad, pad, pad},
                                                         .dtype = dtype,
                                                         .y_dtype = DType::F32,
                                                         .bias = true});
          for (const auto pass : {conv2d::Pass::BackwardData, conv2d::Pass::BackwardWeights})
            (void)plan->workspace_bytes(pass);
          check(conv2d::to_string(plan->problem()), context.tally());
        }
}

TEST_CASE("dispatch walk: stylizing in bands") {
  for (const std::int64_t channels : {16, 32}) {
    const TransformNet config{.width = channels, .residual_blocks = 1};
    ParamStore store(ParamStore::Kind::Frozen);
    declare_transform_net(store, config);
    store.allocate();
    for (const auto& [height, width] : {std::pair{64, 64}, std::pair{257, 131}, std::pair{512, 512},
                                        std::pair{1024, 1024}, std::pair{600, 4000}})
      for (const DType dtype : kTypes) {
        Context context(2);
        const BandedTransformNet net(context, store, config, height, width, dtype);
        check(fmt::format("{} x {} {}", height, width, name_of(dtype)), context.tally());
      }
  }
}

TEST_CASE("dispatch walk: forced onto the reference loops, the user is told") {
  const test::ForcedImplementation force("conv2d:reference");
  Context context(1);
  (void)conv2d::Plan::make(context, {.x = {1, 8, 8, 4}, .k = 4, .r = 3, .s = 3});
  CHECK(context.tally().complaint() ==
        "100 % of the convolution work runs on plain reference loops, which are slow (3x3 x=(1,8,8,4) k=4 "
        "stride=1 fp32 forward); CHIARO_LOG=dispatch says why");
}
