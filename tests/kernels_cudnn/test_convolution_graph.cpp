// How convolution problems become cuDNN graphs, on a described GPU.
#include <doctest/doctest.h>

#include "engine/file_util.hpp"
#include "kernels/conv2d/convolution_graph_cudnn.hpp"
#include "kernels/cuda/device_context.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace chiaro;
using namespace chiaro::conv2d;
using chiaro::test::contains;
using chiaro::test::error_of;

namespace {

constexpr Problem kProblem{.x = {4, 64, 64, 128}, .k = 128, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
constexpr Pass kPasses[] = {Pass::Forward, Pass::BackwardData, Pass::BackwardWeights};

Problem with_types(Problem p, DType dtype, DType y_dtype) {
  p.dtype = dtype;
  p.y_dtype = y_dtype;
  return p;
}

Context hopper() {
  return Context::planning(read_text("kernels_cudnn/h100.json"));
}

std::unique_ptr<cudnn::Plan> plan_of(PassGraph graph) {
  Context context = hopper();
  std::string refusal;
  auto plan =
      cudnn::Plan::choose(context.cuda().cudnn_properties(), std::move(graph.graph), graph.math, refusal);
  CHECK_MESSAGE(plan != nullptr, refusal);
  return plan;
}

}  // namespace

TEST_CASE("convolution graph: strict fp32 stays off the matrix units, TF32 and bf16 use them") {
  for (const Pass pass : kPasses) {
    CHECK(!plan_of(make_pass_graph(kProblem, pass, false, false))->engine().matrix_units);
    CHECK(plan_of(make_pass_graph(kProblem, pass, false, true))->engine().matrix_units);
    const Problem bf16 = with_types(kProblem, DType::BF16, DType::BF16);
    CHECK(plan_of(make_pass_graph(bf16, pass, false, false))->engine().matrix_units);
  }
}

TEST_CASE("convolution graph: all kinds of epilogue, accumulation and padding have plans") {
  for (const DType dtype : {DType::F32, DType::BF16})
    for (const Padding pad :
         {Padding{1, 1, 1, 1}, Padding{1, 0, 1, 0}, Padding{0, 1, 0, 1}, Padding{}, Padding{2, 1, 0, 0}})
      for (const std::int64_t stride : {1, 2}) {
        Problem p = with_types(kProblem, dtype, dtype);
        p.pad = pad;
        p.stride = stride;
        CAPTURE(to_string(p));
        for (const bool accumulate : {false, true})
          for (const Pass pass : {Pass::BackwardData, Pass::BackwardWeights})
            CHECK(plan_of(make_pass_graph(p, pass, accumulate, false)));
        for (int mask = 0; mask < 8; ++mask) {
          p.bias = mask & 1, p.relu = mask & 2, p.accumulate = mask & 4;
          CHECK(plan_of(make_pass_graph(p, Pass::Forward, false, false)));
        }
      }
}

TEST_CASE("convolution graph: fp32 y beside bf16 is multiplied in TF32, its gradients in bf16") {
  const Problem p = with_types(kProblem, DType::BF16, DType::F32);
  const PassGraph forward = make_pass_graph(p, Pass::Forward, false, false);
  CHECK(forward.dtype == DType::F32);
  CHECK(forward.math == cudnn::Math::Matrix);
  CHECK(make_pass_graph(p, Pass::BackwardData, false, false).dtype == DType::BF16);
  CHECK(make_pass_graph(p, Pass::BackwardWeights, false, false).dtype == DType::BF16);
}

TEST_CASE("convolution graph: a ReLU without bias gets a bias, which the precompiled engines want") {
  Problem p = kProblem;
  CHECK(!make_pass_graph(p, Pass::Forward, false, false).biased);
  p.relu = true;
  CHECK(make_pass_graph(p, Pass::Forward, false, false).biased);
  p.accumulate = true;
  CHECK(make_pass_graph(p, Pass::Forward, false, false).adds_old_y);
  p.relu = false;
  CHECK(!make_pass_graph(p, Pass::Forward, false, false).adds_old_y);  // through beta
}

TEST_CASE("convolution graph: keys are equal for equal graphs and for no others") {
  const auto key = [](const Problem& p, Pass pass, bool accumulate = false, bool tf32 = false) {
    return pass_graph_key(p, pass, accumulate, tf32);
  };
  Problem relu = kProblem;
  relu.bias = relu.relu = true;
  CHECK(key(kProblem, Pass::Forward) != key(relu, Pass::Forward));
  CHECK(key(kProblem, Pass::BackwardData) == key(relu, Pass::BackwardData));
  CHECK(key(kProblem, Pass::BackwardData) != key(kProblem, Pass::BackwardWeights));
  CHECK(key(kProblem, Pass::BackwardData) != key(kProblem, Pass::BackwardData, true));
  CHECK(key(kProblem, Pass::Forward) != key(kProblem, Pass::Forward, false, true));
  const Problem bf16 = with_types(kProblem, DType::BF16, DType::BF16),
                mixed = with_types(kProblem, DType::BF16, DType::F32);
  CHECK(key(bf16, Pass::Forward) == key(bf16, Pass::Forward, false, true));
  CHECK(key(bf16, Pass::Forward) != key(mixed, Pass::Forward));
  CHECK(key(bf16, Pass::BackwardData) == key(mixed, Pass::BackwardData));
  Problem padded = kProblem;
  padded.pad = {1, 0, 1, 0};
  CHECK(key(kProblem, Pass::Forward) != key(padded, Pass::Forward));
}

TEST_CASE("convolution graph: the same problem gets the same engine every time") {
  for (const Pass pass : kPasses) {
    const auto a = plan_of(make_pass_graph(kProblem, pass, false, true)),
               b = plan_of(make_pass_graph(kProblem, pass, false, true));
    CHECK(a->engine().index == b->engine().index);
    CHECK(a->workspace_bytes() == b->workspace_bytes());
  }
}

TEST_CASE("plan: what is written as JSON comes back without heuristics") {
  Context context = hopper();
  for (const Pass pass : kPasses) {
    const auto plan = plan_of(make_pass_graph(kProblem, pass, false, true));
    const auto again =
        cudnn::Plan::from_json(context.cuda().cudnn_properties(),
                               make_pass_graph(kProblem, pass, false, true).graph, plan->to_json());
    CHECK(again->workspace_bytes() == plan->workspace_bytes());
    CHECK(again->to_json() == plan->to_json());
  }
}

TEST_CASE("plan: its tensors can be bound, and without a GPU the library refuses to run it") {
  const auto plan = plan_of(make_pass_graph(kProblem, Pass::Forward, false, false));
  alignas(16) std::byte memory[16];
  const std::pair<cudnn::Graph::Id, const void*> tensors[] = {{kX, memory}, {kW, memory}, {kY, memory}};
  CHECK(contains(error_of([&] { plan->execute(nullptr, tensors, memory); }), "cuDNN: cannot run a plan"));
}

TEST_CASE("plan: skipping proposals gives other engines or other settings of one") {
  Context context = hopper();
  std::string refusal;
  const auto nth = [&](int skip) {
    return cudnn::Plan::choose(context.cuda().cudnn_properties(),
                               make_pass_graph(kProblem, Pass::Forward, false, true).graph,
                               cudnn::Math::Matrix, refusal, skip);
  };
  CHECK(nth(0)->to_json() != nth(1)->to_json());
  CHECK(nth(1000) == nullptr);
}

TEST_CASE("plan file: keeps plans by key, ignores files of another device or cuDNN") {
  const test::TemporaryFolder folder;
  const std::string tuned = folder / "tuned";
  cudnn::PlanFile file(tuned, "NVIDIA H100");
  CHECK(file.find("forward") == "");
  file.put("forward", "{\n\"a\": 1}");
  file.put("backward data", "{}");
  const cudnn::PlanFile again(tuned, "NVIDIA H100");
  CHECK(again.find("forward") == "{ \"a\": 1}");
  CHECK(again.find("backward data") == "{}");
  CHECK(cudnn::PlanFile(tuned, "NVIDIA A100").find("forward") == "");
  write_text(file.path(), "chiaro cuDNN plans 1: another header\nforward\n{}\n");
  CHECK(cudnn::PlanFile(tuned, "NVIDIA H100").find("forward") == "");
}

TEST_CASE("conv2d: cudnn books workspace for its library and for what is converted around it") {
  Context context = hopper();
  const Problem bf16 = with_types(kProblem, DType::BF16, DType::BF16);
  Problem p = bf16;
  auto plan = conv2d::Plan::make(context, p);
  CHECK(plan->implementation() == "cudnn");
  CHECK(plan->packed_bytes(Pass::Forward) == p.weight_count() * 2);
  CHECK(plan->packed_key(Pass::Forward) == plan->packed_key(Pass::BackwardData));
  const auto plain = plan->workspace_bytes(Pass::Forward);
  CHECK(plan->workspace_bytes(Pass::BackwardWeights) >= p.weight_count() * 2);  // dw in bf16
  p.bias = p.relu = p.accumulate = true;
  plan = conv2d::Plan::make(context, p);
  CHECK(plan->workspace_bytes(Pass::Forward) >= p.y().count() * 2);  // old y
  CHECK(plan->workspace_bytes(Pass::Forward) < p.y().count() * 2 + p.k * 2 + plain + (8 << 20));
  plan = conv2d::Plan::make(context, with_types(kProblem, DType::BF16, DType::F32));
  CHECK(plan->packed_bytes(Pass::Forward) == p.weight_count() * 4);
  CHECK(plan->packed_bytes(Pass::BackwardData) == p.weight_count() * 2);
  CHECK(plan->packed_key(Pass::Forward) != plan->packed_key(Pass::BackwardData));
  CHECK(plan->workspace_bytes(Pass::Forward) >= p.x.count() * 4);         // x in fp32
  CHECK(plan->workspace_bytes(Pass::BackwardData) >= p.y().count() * 2);  // dy in bf16
}

TEST_CASE("conv2d: what cuDNN answers with an error is computed by our own kernels") {
  Context context = hopper();
  Problem p = kProblem;
  p.x.n = std::int64_t{1} << 33;
  CHECK(std::string(conv2d::Plan::make(context, p)->implementation()) == "implicit_gemm");
  const auto& planned = context.cuda().plan(
      pass_graph_key(p, Pass::Forward, false, false), [] { return cudnn::Graph(); }, cudnn::Math::Strict);
  CHECK(planned.plan == nullptr);
  CHECK(contains(planned.refusal, "cuDNN: cannot "));
  // What is wrong in chiaro stays an error.
  CHECK(error_of([&] {
          context.cuda().plan(
              "another", []() -> cudnn::Graph { throw Error("ours"); }, cudnn::Math::Strict);
        }) == "ours");
}

TEST_CASE("conv2d: equal problems share one plan") {
  Context context = hopper();
  const auto first = conv2d::Plan::make(context, kProblem);
  const auto count = context.cuda().plans().size();
  Context copy = context;
  const auto second = conv2d::Plan::make(copy, kProblem);
  CHECK(context.cuda().plans().size() == count);
}

TEST_CASE("conv2d: a described GPU plans and does not compute") {
  Context context = hopper();
  CHECK(contains(error_of([&] { context.cuda().stream(); }), "only described: it can plan, not compute"));
  CHECK(contains(error_of([&] { context.cuda().cudnn(); }), "only described"));
  CHECK(contains(error_of([] { Context::planning("{}"); }),
                 "cuDNN: cannot take the described GPU's properties"));
}
