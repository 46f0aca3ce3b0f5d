// Every network that comes with chiaro, as a plain state dict without metadata, and back.
#include <doctest/doctest.h>

#include "layers/networks/transform_net/style_rows.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"
#include "weights_import/files/safetensors.hpp"
#include "weights_import/state_dict.hpp"
#include "weights_import/weights_import.hpp"

namespace chiaro {
namespace {

using test::same_bits;

// What other programs write: the tensors alone.
WeightsFile there_and_back(const WeightsFile& network, const ImportOptions& options) {
  const test::TemporaryFolder folder;
  const auto path = folder / "plain.safetensors";
  write_safetensors(path, to_state_dict(network), {});
  return load_network(path, network.kind, options);
}

void check_same_network(const WeightsFile& network, const WeightsFile& back) {
  CHECK(back.architecture == network.architecture);
  REQUIRE(back.parameters.size() == network.parameters.size());
  for (std::size_t i = 0; i < network.parameters.size(); ++i) {
    CAPTURE(network.parameters[i].name);
    CHECK(back.parameters[i].name == network.parameters[i].name);
    CHECK(back.parameters[i].shape == network.parameters[i].shape);
    CHECK(same_bits(back.parameters[i].values, network.parameters[i].values));
  }
}

}  // namespace

TEST_CASE("shipped networks: the depth network comes back from a plain state dict") {
  const WeightsFile network = read_weights("../apps/models/compact_depth.h5");
  check_same_network(network, there_and_back(network, {.padding = "nyu"}));
}

TEST_CASE("shipped networks: the VGG in factors comes back from a plain state dict") {
  const WeightsFile network = read_weights("../apps/models/compact_vgg19.h5");
  check_same_network(network, there_and_back(network, {.preprocess = "caffe-rgb"}));
}

TEST_CASE("shipped networks: every style comes back from a plain state dict") {
  const WeightsFile network = read_weights("../apps/models/base.h5");
  for (const std::string& style : transform_net_from_json(network.architecture, "base").styles) {
    CAPTURE(style);
    const WeightsFile one = choose_style(network, {{style, 1}}, "base");
    check_same_network(one, there_and_back(one, {}));
  }
}

}  // namespace chiaro
