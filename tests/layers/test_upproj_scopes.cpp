#include <doctest/doctest.h>

#include "layers/nets/resnet_upproj.hpp"
#include "weights_import/upproj_scopes.hpp"

namespace chiaro {
namespace {

TEST_CASE("upproj_scopes: importers know the parameters of the network") {
  for (const std::int64_t width : {1, 4, 64}) {
    for (const bool has_stage5 : {true, false}) {
      const auto network = resnet_upproj_parameters({.width = width, .has_stage5 = has_stage5});
      const auto importers = upproj_tensors(static_cast<int>(width), has_stage5);
      REQUIRE(importers.size() == network.size());
      for (std::size_t i = 0; i < network.size(); ++i) {
        CHECK(importers[i].name == network[i].name);
        CHECK(importers[i].shape == network[i].shape);
      }
    }
  }
}

}  // namespace
}  // namespace chiaro
