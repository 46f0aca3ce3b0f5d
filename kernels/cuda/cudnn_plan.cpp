// Choosing and executing plans; see cudnn_graph.hpp.
#include "kernels/base/error.hpp"
#include "kernels/cuda/cudnn_attributes.hpp"
#include "kernels/cuda/cudnn_graph.hpp"

namespace chiaro::cudnn {

namespace {

// What the heuristic proposes, best first. The descriptors are made in `owner`.
std::vector<cudnnBackendDescriptor_t> configurations(const DeviceProperties& device,
                                                     cudnnBackendDescriptor_t graph,
                                                     cudnnBackendHeurMode_t mode, Descriptors& owner) {
  const auto heuristic = owner.make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  set(heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  set(heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  set(heuristic, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, device.descriptor());
  finalize(heuristic, "run the heuristic");
  std::int64_t count = 0;
  const auto read = [&](std::int64_t most, cudnnBackendDescriptor_t* list) {
    check(library().get_attribute(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                  most, &count, list),
          "read what the heuristic proposes");
  };
  read(0, nullptr);
  std::vector<cudnnBackendDescriptor_t> list(static_cast<std::size_t>(count));
  for (auto& d : list) d = owner.make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  read(count, list.data());
  list.resize(static_cast<std::size_t>(count));  // can be fewer than announced
  return list;
}

struct Judgment {
  Engine engine;
  const char* refusal = nullptr;  // nullptr = fits
};

Judgment judge(cudnnBackendDescriptor_t configuration, Math math) {
  Descriptors owner;
  auto engine = owner.make(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  std::int64_t count = 0;
  check(library().get_attribute(configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                                &count, &engine),
        "ask for the engine of a configuration");
  Judgment j;
  for (const auto index : get<std::int64_t>(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, 1))
    j.engine.index = index;
  for (const auto note : get<cudnnBackendNumericalNote_t>(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                          CUDNN_NUMERICAL_NOTE_TYPE_COUNT)) {
    switch (note) {
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
        j.engine.matrix_units = true;
        if (math == Math::Strict) j.refusal = "uses matrix units";
        break;
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
        j.refusal = "narrows its operands";
        break;
      case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
        j.refusal = "adds in less than fp32";
        break;
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
        j.refusal = "gives other bits from run to run";
        break;
      case CUDNN_NUMERICAL_NOTE_FFT:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
        j.refusal = "transforms the data, which costs accuracy";
        break;
      default:
        break;
    }
  }
  for (const auto note : get<cudnnBackendBehaviorNote_t>(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE,
                                                         CUDNN_BEHAVIOR_NOTE_TYPE_COUNT))
    j.engine.compiled_at_run_time |= note == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
  return j;
}

}  // namespace

void Plan::read_workspace_bytes() {
  for (const auto bytes : get<std::int64_t>(plan_, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, 1))
    workspace_bytes_ = bytes;
}

std::unique_ptr<Plan> Plan::choose(const DeviceProperties& device, Graph graph, Math math,
                                   std::string& refusal, int skip) {
  auto chosen = std::make_unique<Plan>(std::move(graph));
  const auto operations = chosen->owner_.make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  set(operations, CUDNN_ATTR_OPERATIONGRAPH_OPS, chosen->graph_.operations_.data(),
      chosen->graph_.operations_.size());
  finalize(operations, "build a graph");

  int proposed = 0;
  std::string last = "nothing was proposed";
  for (const bool run_time : {false, true})
    for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK})
      for (const auto configuration : configurations(device, operations, mode, chosen->owner_)) {
        Judgment j = judge(configuration, math);
        if (j.engine.compiled_at_run_time != run_time) continue;
        ++proposed;
        if (j.refusal) {
          last = fmt::format("engine {} {}", j.engine.index, j.refusal);
          continue;
        }
        try {
          const auto plan = chosen->owner_.make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
          set(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
          set(plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, device.descriptor());
          finalize(plan, "make a plan");
          chosen->plan_ = plan;
        } catch (const Error& error) {
          last = error.what();
          continue;
        }
        if (skip-- > 0) continue;
        chosen->engine_ = j.engine;
        chosen->engine_.from_fallback = mode == CUDNN_HEUR_MODE_FALLBACK;
        chosen->read_workspace_bytes();
        return chosen;
      }
  refusal =
      fmt::format("none of {} proposals of cuDNN {} fits, the last: {}", proposed, version_text(), last);
  return nullptr;
}

std::unique_ptr<Plan> Plan::from_json(const DeviceProperties& device, Graph graph, const std::string& json) {
  auto made = std::make_unique<Plan>(std::move(graph));
  made->plan_ = made->owner_.make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  set(made->plan_, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, device.descriptor());
  set(made->plan_, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, json.data(), json.size());
  finalize(made->plan_, "make a plan from its JSON");
  made->read_workspace_bytes();
  return made;
}

std::string Plan::to_json() const {
  std::int64_t size = 0;
  const auto read = [&](std::int64_t most, char* text) {
    check(library().get_attribute(plan_, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, most,
                                  &size, text),
          "write a plan as JSON");
  };
  read(0, nullptr);
  std::string json(static_cast<std::size_t>(size), '\0');
  read(size, json.data());
  return json.substr(0, json.find('\0'));
}

void Plan::execute(cudnnHandle_t handle, std::span<const std::pair<Graph::Id, const void*>> tensors,
                   void* workspace) const {
  std::vector<Graph::Id> ids;
  std::vector<void*> pointers;
  for (const auto& [id, pointer] : tensors) {
    ids.push_back(id);
    pointers.push_back(const_cast<void*>(pointer));  // cuDNN's variant packs do not tell inputs from outputs
  }
  Descriptors owner;
  const auto pack = owner.make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids.data(), ids.size());
  set_pointers(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers.data(), pointers.size());
  set_pointers(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, &workspace, 1);
  finalize(pack, "bind a plan's tensors");
  check(library().execute(handle, plan_, pack), "run a plan");
}

}  // namespace chiaro::cudnn
