#include "apps/training/checkpoint_model.hpp"

#include <nlohmann/json.hpp>

#include "apps/training/config.hpp"
#include "apps/training/style_graph.hpp"
#include "engine/checkpoint.hpp"
#include "engine/param_io.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/transform_net/transform_graph.hpp"
#include "layers/networks/transform_net/transform_model.hpp"
#include "weights_import/files/hdf5_file.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {
namespace {

WeightsFile network_of_checkpoint(const Hdf5File& file) {
  const std::string& name = file.file();
  const TrainConfig config = parse_config(read_checkpoint_info(name).config, name, ".");
  if (config.task != Task::Style)
    throw Error("{}: is a checkpoint of another task than \"style\": give the model.h5 of its run", name);
  const TransformNet network = transform_net_config(config);
  ParamStore params(ParamStore::Kind::Trainable);
  declare_transform_net(params, network);
  if (config.optimizer.average > 0) params.keep_averages();
  params.allocate();
  const CheckpointInfo info = read_checkpoint(name, params);
  auto parameters = save_slab(params, params.has_averages() ? params.averages() : params.values());
  for (const NamedTensor& tensor : parameters) check_finite(tensor.name, tensor.values, name);
  const nlohmann::ordered_json provenance{{"tool", "chiaro train_engine, a checkpoint"},
                                          {"iterations", info.iteration}};
  return transform_weights_file(std::move(parameters), network, provenance.dump());
}

}  // namespace

WeightsFile load_style_network(const std::filesystem::path& path) {
  return load_network(path, "transform_net", {.checkpoint = network_of_checkpoint});
}

}  // namespace chiaro
