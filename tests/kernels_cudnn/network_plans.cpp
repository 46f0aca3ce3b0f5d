#include "tests/kernels_cudnn/network_plans.hpp"

#include "apps/training/config.hpp"
#include "engine/file_util.hpp"
#include "engine/session_plan.hpp"
#include "kernels/cuda/device_context.hpp"
#include "layers/networks/loss_network.hpp"
#include "layers/networks/resnet_upproj/upproj_training.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/style_objective.hpp"

namespace chiaro::test {

namespace {

constexpr std::int64_t kBatch = 4, kSize = 256;

FeatureTerm term_of(const FeatureLossConfig& config, LossNetwork& network) {
  return {.name = config.name, .network = &network, .layers = config.layers, .weight = config.weight};
}

// Gradients are planned when a backward pass is.
void plan_backward(const Graph& graph) {
  (void)plan_session(graph, {.backward = true});
}

// Batch 4, 256x256, VGG-19 to relu5_1, the whole ResNet-UpProj: the defaults of train_engine.
void build_training_step(Context& context, DType dtype) {
  const LossConfig loss;
  const auto vgg = LossNetwork::declared(loss.style.net), depth = LossNetwork::declared(loss.depth().net);
  StyleObjective objective{.style = term_of(loss.style, *vgg),
                           .features = {term_of(loss.content(), *vgg), term_of(loss.depth(), *depth)},
                           .pictures = {{"tv", loss.tv().weight}}};
  std::int64_t channels = 64;
  for (const auto& layer : loss.style.layers) {
    objective.style_targets[layer].grams = Buffer(channels * channels * 4, "Gram matrix");
    channels = std::min<std::int64_t>(512, 2 * channels);
  }
  ParamStore params(ParamStore::Kind::Trainable);
  Graph graph(context);
  const TensorId photo = graph.add_input("photo", {{kBatch, kSize, kSize, 3}, DType::F32});
  const auto features = add_photo_features(graph, objective, photo, dtype);
  const TensorId generated = build_transform_net(graph, params, photo, {}, dtype);
  add_objective(graph, objective, generated, features, dtype);
  plan_backward(graph);
}

void build_transposed_transform_net(Context& context, DType dtype) {
  ParamStore params(ParamStore::Kind::Trainable);
  Graph graph(context);
  const TensorId photo = graph.add_input("photo", {{kBatch, kSize, kSize, 3}, DType::F32});
  build_transform_net(graph, params, photo, {.upsample = Upsample::Transposed, .padding = Padding::Zero},
                      dtype);
  plan_backward(graph);
}

void build_depth_training(Context& context, DType dtype) {
  const DepthConfig config;
  ParamStore params(ParamStore::Kind::Trainable), statistics(ParamStore::Kind::Frozen);
  Graph graph(context);
  const TensorId picture =
      graph.add_input("picture", {{8, config.input_height, config.input_width, 3}, DType::F32});
  build_resnet_upproj_training(graph, params, statistics, picture, {}, dtype);
  plan_backward(graph);
}

template <std::int64_t kHeight, std::int64_t kWidth>
void build_stylizer(Context& context, DType dtype) {
  ParamStore params(ParamStore::Kind::Frozen);
  Graph graph(context);
  const TensorId picture = graph.add_input("picture", {{1, kHeight, kWidth, 3}, DType::F32});
  build_transform_net(graph, params, picture, {}, dtype);
}

}  // namespace

const std::vector<Network>& networks() {
  static const std::vector<Network> list = {
      {"training step, batch 4, 256x256", true, build_training_step},
      {"transform net with transposed upsampling and zero padding, batch 4, 256x256", true,
       build_transposed_transform_net},
      {"training of ResNet-UpProj, batch 8, 228x304", true, build_depth_training},
      {"stylize 512x512", false, build_stylizer<512, 512>},
      {"stylize 1080x1920", false, build_stylizer<1080, 1920>},
      {"stylize 2160x3840", false, build_stylizer<2160, 3840>},
  };
  return list;
}

PlannedGraphs planned_graphs(const std::string& properties, const Network& network,
                             const Precision& precision) {
  Context context = Context::planning(read_text(properties));
  context.allow_tf32(precision.tf32);
  network.build(context, precision.dtype);
  PlannedGraphs graphs;
  for (const auto& [key, entry] : context.cuda().plans()) {
    if (!network.trains && !key.starts_with("forward")) continue;
    PlannedGraph& graph = graphs[key];
    graph.refusal = entry.refusal;
    if (!entry.plan) continue;
    const auto& engine = entry.plan->engine();
    graph = {"",
             engine.index,
             entry.plan->workspace_bytes(),
             engine.matrix_units,
             engine.compiled_at_run_time,
             engine.from_fallback};
  }
  return graphs;
}

}  // namespace chiaro::test
