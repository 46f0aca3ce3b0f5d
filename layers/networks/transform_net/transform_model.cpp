#include "layers/networks/transform_net/transform_model.hpp"

#include "engine/param_io.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"

namespace chiaro {

namespace {

bool runs_in_bands(const Context& context, const TransformNet& config) {
  return context.device() == Device::Cpu && config.upsample == Upsample::Nearest;
}

struct PictureGraph {
  Graph graph;
  TensorId input, output;
};

PictureGraph picture_graph(Context& context, ParamStore& params, const TransformNet& config,
                           std::int64_t height, std::int64_t width, DType dtype) {
  PictureGraph result{.graph = Graph(context)};
  result.input = result.graph.add_input("picture", {{1, height, width, 3}, DType::F32});
  result.output = build_transform_net(result.graph, params, result.input, config, dtype);
  result.graph.keep(result.output);
  return result;
}

}  // namespace

TransformModel make_transform_model(const WeightsFile& weights, const std::string& file,
                                    const std::vector<StyleShare>& style) {
  if (weights.kind != "transform_net")
    throw Error("{}: holds a {}, expected a transform network (transform_net)", file, weights.kind);
  const Preprocess input = parse_preprocess(weights.preprocess, file);
  if (input.mean != Preprocess{}.mean || input.scale != Preprocess{}.scale) {
    throw Error("{}: wants its pictures prepared ({}), but transform networks are fed plain RGB 0..255", file,
                weights.preprocess);
  }
  const TransformNet config = transform_net_from_json(weights.architecture, file);
  const std::vector<float> rows = row_shares(config, style, file);
  TransformModel model;
  model.config = plain_config(config);
  model.params = std::make_unique<ParamStore>(ParamStore::Kind::Frozen);
  declare_transform_net(*model.params, model.config);
  model.params->allocate();
  load_parameters(*model.params, plain_parameters(weights.parameters, config, rows), file);
  return model;
}

WeightsFile transform_weights_file(std::vector<NamedTensor> parameters, const TransformNet& config,
                                   const std::string& provenance_json) {
  return {.kind = "transform_net",
          .architecture = to_json(config),
          .preprocess = to_json(Preprocess{}),
          .provenance = provenance_json,
          .parameters = std::move(parameters)};
}

WeightsFile transform_weights_file(const ParamStore& params, const TransformNet& config,
                                   const std::string& provenance_json) {
  return transform_weights_file(save_parameters(params), config, provenance_json);
}

Stylizer::Stylizer(Context& context, ParamStore& params, const TransformNet& config, std::int64_t height,
                   std::int64_t width, DType dtype)
    : bytes_(height * width * 3) {
  if (runs_in_bands(context, config)) {
    banded_.emplace(context, params, config, height, width, dtype);
    return;
  }
  auto [graph, input, output] = picture_graph(context, params, config, height, width, dtype);
  session_.emplace(std::move(graph), SessionOptions{});
  picture_.emplace(context, session_->tensor(input));
  result_.emplace(context, session_->tensor(output));
  work_.emplace(context, [this] {
    picture_->send();
    session_->forward();
    result_->receive();
  });
}

void Stylizer::run(const std::uint8_t* rgb, std::uint8_t* result,
                   const BandedTransformNet::Progress& progress) {
  if (banded_) return banded_->run(rgb, result, progress);
  const auto count = static_cast<std::size_t>(bytes_);
  picture_->stage({rgb, count});
  work_->run();
  result_->bytes({result, count});
}

std::int64_t Stylizer::planned_bytes() const {
  return banded_ ? banded_->planned_bytes() : session_->plan().memory.arena_bytes;
}

std::int64_t Stylizer::estimate_bytes(Context& context, const TransformNet& config, std::int64_t height,
                                      std::int64_t width, DType dtype) {
  const TransformNet plain = plain_config(config);
  if (runs_in_bands(context, plain))
    return BandedTransformNet::estimate_bytes(context, plain, height, width, dtype);
  ParamStore declared(ParamStore::Kind::Frozen);
  const PictureGraph picture = picture_graph(context, declared, plain, height, width, dtype);
  return plan_session(picture.graph, SessionOptions{}).memory.arena_bytes;
}

}  // namespace chiaro
