#include "apps/training/depth_trainer.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "engine/param_io.hpp"
#include "layers/loss_layers.hpp"
#include "layers/networks/resnet_upproj/upproj_graph.hpp"
#include "layers/networks/resnet_upproj/upproj_training.hpp"
#include "weights_import/keras_resnet.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {

namespace {

constexpr const char* kLoss = "berhu";
constexpr const char* kPrediction = "prediction";

// Of Keras' ResNet-50. Networks without its weights are fed the same way, so that every run of one
// configuration is.
Preprocess encoder_preprocess() {
  return {.mean = {123.68, 116.779, 103.939}, .scale = {1, 1, 1}, .convention = "caffe"};
}

void require_encoder_preprocess(const Preprocess& found, const std::string& file) {
  const Preprocess expected = encoder_preprocess();
  if (found.mean != expected.mean || found.scale != expected.scale)
    throw Error("{}: wants its input prepared as {}; networks are trained here with {}", file, to_json(found),
                to_json(expected));
}

// Encoder and decoder lie one behind the other.
std::vector<ParamRange> ranges_of(const ParamStore& params, double encoder_lr) {
  const std::int64_t encoder = params.find("layer1.weight")->offset;
  return {{0, encoder, encoder_lr}, {encoder, params.slab_count() - encoder}};
}

}  // namespace

ResnetUpproj depth_network_config(const DepthConfig& depth) {
  return {.width = depth.width,
          .has_stage5 = depth.encoder == Encoder::Resnet50,
          .decoder_width = depth.decoder_width,
          .up_projections = static_cast<int>(depth.up_projections),
          .padding = ResnetUpproj::Side::Nyu,
          .preprocess = encoder_preprocess()};
}

DepthTrainer::DepthTrainer(Context& context, const TrainConfig& config, DType dtype,
                           SessionOptions session_options)
    : context_(context), dtype_(dtype), network_(depth_network_config(config.depth)) {
  Graph graph(context);
  picture_ = graph.add_input(
      "picture",
      {{config.data.batch_size, config.depth.input_height, config.depth.input_width, 3}, DType::F32});
  const TensorId prediction =
      build_resnet_upproj_training(graph, params_, statistics_, picture_, network_, dtype);
  target_ = graph.add_input("target", {graph.shape(prediction), DType::F32});
  graph.add_loss(kLoss, kLoss, std::make_unique<DepthLossLayer>(LossOptions{}), {prediction, target_});
  params_.allocate();
  statistics_.allocate();
  session_options.backward = true;
  session_.emplace(std::move(graph), session_options);
  initialize(config);
  colors_.emplace(context_, session_->tensor(picture_));
  depths_.emplace(context_, session_->tensor(target_));
  const auto feed = [this] {
    colors_->send();
    depths_->send();
  };
  step_.emplace(context_, config, *session_, params_, feed, ranges_of(params_, config.depth.encoder_lr));
}

void DepthTrainer::initialize(const TrainConfig& config) {
  if (!config.model.init.empty() && config.model.init != kRandomWeights) return load_model(config.model.init);
  initialize_resnet_upproj(params_, statistics_, network_, static_cast<std::uint64_t>(config.seed));
  const std::string& file = config.depth.encoder_weights;
  if (file.empty()) return;
  const ImportedEncoder encoder = import_keras_resnet50(*open_tensor_file(file));
  require_encoder_preprocess(encoder.preprocess, file);
  load_encoder(params_, statistics_, network_, encoder.tensors, file);
}

void DepthTrainer::load_model(const std::string& path) {
  const WeightsFile start = load_network(path, "resnet_upproj");
  const std::string expected = to_json(network_);
  if (nlohmann::json::parse(start.architecture) != nlohmann::json::parse(expected))
    throw Error("{}: holds a depth network {}, but the configuration's [depth] is {}", path,
                start.architecture, expected);
  require_encoder_preprocess(parse_preprocess(start.preprocess, path), path);
  for (const NamedTensor& tensor : start.parameters) {
    const bool dropped = tensor.name.ends_with(".bias") && !params_.find(tensor.name);
    if (dropped && std::ranges::any_of(tensor.values, [](float v) { return v != 0; }))
      throw Error("{}: '{}' is not zero: only networks that were trained by chiaro can be trained on", path,
                  tensor.name);
  }
  load_parameters(params_, start.parameters, path);
  load_parameters(statistics_, start.parameters, path);
}

PictureSize DepthTrainer::target_size() const {
  const Shape shape = session_->graph().shape(target_);
  return {shape.h, shape.w};
}

double DepthTrainer::step(std::int64_t step, const DepthBatch& batch) {
  colors_->stage(batch.rgb);
  depths_->stage(batch.depth);
  step_->run(step);
  values_changed();
  return session_->loss(kLoss);
}

DepthTrainer::Inference& DepthTrainer::current_inference() {
  if (!inference_) {
    auto made = std::make_unique<Inference>();
    Graph graph(context_);
    made->picture = graph.add_input("picture", {session_->graph().shape(picture_), DType::F32});
    made->prediction =
        build_resnet_upproj(graph, made->store, made->picture, network_, dtype_, {kPrediction}, "")
            .at(kPrediction);
    graph.keep(made->prediction);
    made->store.allocate();
    made->session.emplace(std::move(graph), SessionOptions{});
    inference_ = std::move(made);
  }
  if (!inference_is_current_)
    load_resnet_upproj(inference_->store, network_,
                       resnet_upproj_file_tensors(params_, statistics_, network_), "the network in training");
  inference_is_current_ = true;
  return *inference_;
}

std::span<const float> DepthTrainer::predict(const DepthBatch& batch) {
  Inference& network = current_inference();
  write_tensor(context_, network.session->tensor(network.picture), batch.rgb);
  network.session->forward();
  network.meters = read_tensor(context_, network.session->tensor(network.prediction));
  return network.meters;
}

WeightsFile DepthTrainer::weights_file(const std::string& provenance) const {
  return {.kind = "resnet_upproj",
          .architecture = to_json(network_),
          .preprocess = to_json(network_.preprocess),
          .provenance = provenance,
          .parameters = resnet_upproj_file_tensors(params_, statistics_, network_)};
}

}  // namespace chiaro
