#include "weights_import/files/safetensors_network.hpp"

#include <nlohmann/json.hpp>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/networks.hpp"
#include "weights_import/state_dict.hpp"

namespace chiaro {
namespace {

constexpr const char *kKind = "chiaro.kind", *kArchitecture = "chiaro.architecture",
                     *kPreprocess = "chiaro.preprocess", *kProvenance = "chiaro.provenance";
constexpr std::size_t kMaxJson = 1 << 18;  // bounds what parsing can allocate

void check_network(const WeightsFile& weights, const std::string& file) {
  network_kind(weights.kind, file);
  for (const auto& [name, text] : {std::pair{kArchitecture, &weights.architecture},
                                   {kPreprocess, &weights.preprocess},
                                   {kProvenance, &weights.provenance}}) {
    const std::size_t first = text->find_first_not_of(" \t\r\n");
    const bool object = first != std::string::npos && (*text)[first] == '{' && text->size() <= kMaxJson &&
                        nlohmann::json::accept(*text);
    if (!object) throw Error("{}: '{}' is not a JSON object of at most {} bytes", file, name, kMaxJson);
  }
  parse_preprocess(weights.preprocess, file);
  for (const NamedTensor& tensor : weights.parameters) check_finite(tensor.name, tensor.values, file);
}

}  // namespace

void export_safetensors(const std::filesystem::path& path, const WeightsFile& weights, bool half) {
  check_network(weights, path.string());
  write_safetensors(path, to_state_dict(weights),
                    {{"format", "pt"},
                     {kKind, weights.kind},
                     {kArchitecture, weights.architecture},
                     {kPreprocess, weights.preprocess},
                     {kProvenance, weights.provenance}},
                    half);
}

bool holds_network(const SafetensorsFile& file) {
  return file.metadata().contains(kKind);
}

WeightsFile read_network(const SafetensorsFile& file) {
  const auto entry = [&](const char* name) {
    const auto found = file.metadata().find(name);
    if (found == file.metadata().end()) throw Error("{}: no entry '{}' in the metadata", file.file(), name);
    return found->second;
  };
  WeightsFile weights{entry(kKind), entry(kArchitecture), entry(kPreprocess), entry(kProvenance), {}};
  check_network(weights, file.file());
  const auto mappings = state_dict(describe(weights, file.file()));
  weights.parameters = from_state_dict(mappings, file);
  check_network(weights, file.file());
  return weights;
}

}  // namespace chiaro
