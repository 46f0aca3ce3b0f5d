#include "layers/nets/transform_model.hpp"

#include "engine/param_io.hpp"
#include "kernels/picture/picture.hpp"

namespace chiaro {

TransformModel make_transform_model(const WeightsFile& weights, const std::string& file) {
  if (weights.kind != "transform_net")
    throw Error("{}: holds a {}, expected a transform network (transform_net)", file, weights.kind);
  const Preprocess input = parse_preprocess(weights.preprocess, file);
  if (input.mean != Preprocess{}.mean || input.scale != Preprocess{}.scale) {
    throw Error("{}: wants its pictures prepared ({}), but transform networks are fed plain RGB 0..255", file,
                weights.preprocess);
  }
  TransformModel model;
  model.config = transform_net_from_json(weights.architecture, file);
  model.params = std::make_unique<ParamStore>(ParamStore::Kind::Frozen);
  declare_transform_net(*model.params, model.config);
  model.params->allocate();
  load_parameters(*model.params, weights.parameters, file);
  return model;
}

WeightsFile transform_weights_file(const ParamStore& params, const TransformNetConfig& config,
                                   const std::string& provenance_json) {
  return {.kind = "transform_net",
          .architecture = transform_net_to_json(config),
          .preprocess = to_json(Preprocess{}),
          .provenance = provenance_json,
          .parameters = save_parameters(params)};
}

Stylizer::Stylizer(Context& context, ParamStore& params, const TransformNetConfig& config,
                   std::int64_t height, std::int64_t width, DType dtype)
    : context_(context) {
  if (config.upsample == Upsample::Nearest) {
    banded_.emplace(context, params, config, height, width, dtype);
    return;
  }
  Graph graph(context);
  input_ = graph.add_input("picture", {{1, height, width, 3}, DType::F32});
  output_ = build_transform_net(graph, params, input_, config, dtype);
  graph.keep(output_);
  session_.emplace(std::move(graph), SessionOptions{});
}

void Stylizer::run(const std::uint8_t* rgb, std::uint8_t* result) {
  if (banded_) return banded_->run(rgb, result);
  picture::to_tensor(context_, rgb, session_->tensor(input_));
  session_->forward();
  picture::to_bytes(context_, session_->tensor(output_), result);
}

std::int64_t Stylizer::planned_bytes() const {
  return banded_ ? banded_->planned_bytes() : session_->plan().memory.arena_bytes;
}

std::int64_t Stylizer::estimate_bytes(Context& context, const TransformNetConfig& config, std::int64_t height,
                                      std::int64_t width, DType dtype) {
  if (config.upsample == Upsample::Nearest)
    return BandedTransformNet::estimate_bytes(config, height, width, dtype);
  Graph graph(context);
  ParamStore declared(ParamStore::Kind::Frozen);
  const TensorId input = graph.add_input("picture", {{1, height, width, 3}, DType::F32});
  graph.keep(build_transform_net(graph, declared, input, config, dtype));
  return plan_session(graph, SessionOptions{}).memory.arena_bytes;
}

}  // namespace chiaro
