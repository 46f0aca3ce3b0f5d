#include "engine/checkpoint.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>

#include "engine/file_util.hpp"
#include "engine/io/h5_file.hpp"
#include "engine/rng.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace chiaro;
using test::contains;
using test::error_of;
using test::same_bits;
using test::TemporaryFolder;

namespace {

struct Declaration {
  const char* name;
  Shape shape;
};
const std::vector<Declaration> kNetwork{
    {"conv1.weight", {4, 3, 3, 3}}, {"norm1.gamma", {1, 1, 1, 4}}, {"res1.conv1.weight", {4, 3, 3, 4}}};
const CheckpointInfo kInfo{.iteration = 12345678901,
                           .seconds = 1234.5,
                           .threads = 3,
                           .device = "cuda",
                           .precision = "bf16",
                           .config = "[loss]\ntv_weight = 2e2\n# caf\xc3\xa9\n"};

std::unique_ptr<ParamStore> make_store(const std::vector<Declaration>& network) {
  auto store = std::make_unique<ParamStore>(ParamStore::Kind::Trainable);
  for (const auto& [name, shape] : network) store->add(name, shape);
  store->allocate();
  return store;
}

// Values of all magnitudes, among them -0, denormals and the largest number; gradients too, which a
// checkpoint does not hold.
std::unique_ptr<ParamStore> filled_store() {
  auto store = make_store(kNetwork);
  const Rng rng(3, 1);
  std::uint64_t counter = 0;
  for (const auto slab :
       {store->values(), store->gradients(), store->first_moments(), store->second_moments()})
    for (const auto& entry : store->entries())
      for (std::int64_t i = 0; i < entry.shape.count(); ++i) {
        const auto bits = static_cast<std::uint32_t>(rng(counter++)[0]);
        const float value = std::bit_cast<float>(bits);
        slab[static_cast<std::size_t>(entry.offset + i)] = std::isfinite(value) ? value : 0.5f;
      }
  store->value(0)[0] = -0.f;
  store->value(0)[1] = std::numeric_limits<float>::denorm_min();
  store->value(0)[2] = std::numeric_limits<float>::max();
  return store;
}

std::string read_error(const std::filesystem::path& path,
                       const std::vector<Declaration>& network = kNetwork) {
  const auto store = make_store(network);
  return error_of([&] { read_checkpoint(path, *store); });
}

}  // namespace

TEST_CASE("checkpoint: everything is read back bit for bit") {
  const TemporaryFolder folder;
  const auto saved = filled_store(), restored = make_store(kNetwork);
  write_checkpoint(folder / "c.h5", kInfo, *saved);
  CHECK(folder.entries() == 1);
  const CheckpointInfo info = read_checkpoint(folder / "c.h5", *restored);
  CHECK(same_bits(restored->values(), saved->values()));
  CHECK(same_bits(restored->first_moments(), saved->first_moments()));
  CHECK(same_bits(restored->second_moments(), saved->second_moments()));
  CHECK(std::count(restored->gradients().begin(), restored->gradients().end(), 0.f) ==
        std::ssize(restored->gradients()));
  for (const CheckpointInfo& found : {info, read_checkpoint_info(folder / "c.h5")}) {
    CHECK(found.iteration == kInfo.iteration);
    CHECK(found.seconds == kInfo.seconds);
    CHECK(found.threads == kInfo.threads);
    CHECK(found.device == kInfo.device);
    CHECK(found.precision == kInfo.precision);
    CHECK(found.config == kInfo.config);
  }
}

TEST_CASE("checkpoint: reading renews packed copies") {
  const TemporaryFolder folder;
  const auto saved = filled_store(), restored = make_store(kNetwork);
  write_checkpoint(folder / "c.h5", kInfo, *saved);
  const auto pack = [](const float* value, void* packed) { static_cast<float*>(packed)[0] = value[2]; };
  CHECK(static_cast<const float*>(restored->packed(0, "third", 4, pack))[0] == 0);
  read_checkpoint(folder / "c.h5", *restored);
  CHECK(static_cast<const float*>(restored->packed(0, "third", 4, pack))[0] ==
        std::numeric_limits<float>::max());
}

TEST_CASE("checkpoint: the same state gives the same file") {
  const TemporaryFolder folder;
  const auto store = filled_store();
  write_checkpoint(folder / "a.h5", kInfo, *store);
  write_checkpoint(folder / "b.h5", kInfo, *store);
  CHECK(read_text(folder / "a.h5") == read_text(folder / "b.h5"));
}

TEST_CASE("checkpoint: running statistics are part of the state where a network has them") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.h5", plain = folder / "plain.h5";
  const auto make_statistics = [](float value) {
    auto store = std::make_unique<ParamStore>(ParamStore::Kind::Frozen);
    store->add("norm1.mean", {1, 1, 1, 4});
    store->allocate();
    std::ranges::fill(store->values().first(4), value);
    return store;
  };
  const auto saved = filled_store(), restored = make_store(kNetwork);
  const auto statistics = make_statistics(0.25f), found = make_statistics(0);
  write_checkpoint(path, kInfo, *saved, statistics.get());
  CHECK(read_checkpoint(path, *restored, found.get()).iteration == kInfo.iteration);
  CHECK(same_bits(found->values(), statistics->values()));
  CHECK(same_bits(restored->values(), saved->values()));
  CHECK(read_checkpoint_info(path).config == kInfo.config);

  // A file from before there were any stays readable, but not for a network that has some.
  write_checkpoint(plain, kInfo, *saved);
  CHECK(!H5Reader(plain).exists("statistics"));
  CHECK(read_error(plain) == "");
  CHECK(error_of([&] { read_checkpoint(plain, *restored, found.get()); }) == plain + ": holds no statistics");

  // They belong to the checksum, and have to be finite.
  std::string bytes = read_text(path);
  const std::string quarter(std::string("\0\0\x80\x3e", 4));
  const std::size_t at = bytes.find(quarter + quarter + quarter + quarter);
  REQUIRE(at != std::string::npos);
  bytes[at] = 1;
  std::ofstream(path, std::ios::binary) << bytes;
  CHECK(error_of([&] { read_checkpoint(path, *restored, found.get()); }) ==
        path + ": damaged: its checksum is not that of its values");
  statistics->values()[1] = NAN;
  CHECK(error_of([&] { write_checkpoint(path, kInfo, *saved, statistics.get()); }) ==
        path + ": not written, because statistics of parameter 'norm1.mean' hold a value that is not finite");
}

TEST_CASE("checkpoint: values that are not finite are not written") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.h5";
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    const auto store = filled_store();
    const auto offset = static_cast<std::size_t>(store->find("norm1.gamma")->offset);
    store->second_moments()[offset + 3] = bad;
    CHECK(error_of([&] { write_checkpoint(path, kInfo, *store); }) ==
          path +
              ": not written, because second_moments of parameter 'norm1.gamma' hold a value that is not "
              "finite");
  }
  CHECK(folder.entries() == 0);
}

TEST_CASE("checkpoint: a refused one leaves the one before in place") {
  const TemporaryFolder folder;
  const auto store = filled_store();
  write_checkpoint(folder / "c.h5", kInfo, *store);
  const std::string before = read_text(folder / "c.h5");
  store->value(1)[0] = NAN;
  CHECK(error_of([&] { write_checkpoint(folder / "c.h5", kInfo, *store); }) != "");
  CHECK(read_text(folder / "c.h5") == before);
}

TEST_CASE("checkpoint: one of another network is refused, and the difference named") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.h5";
  write_checkpoint(path, kInfo, *filled_store());
  CHECK(read_error(path) == "");

  auto wider = kNetwork;
  wider[2].shape = {4, 3, 3, 8};
  CHECK(read_error(path, wider) ==
        path + ": dataset '/values/res1.conv1.weight' has shape (4,3,3,4), expected (4,3,3,8)");
  auto deeper = kNetwork;
  deeper.push_back({"res2.conv1.weight", {4, 3, 3, 4}});
  CHECK(contains(read_error(path, deeper), path + ": no dataset '/values/res2.conv1.weight'"));
  auto shallower = kNetwork;
  shallower.pop_back();
  CHECK(read_error(path, shallower) ==
        path + ": holds parameter 'res1.conv1.weight', which this network does not have");
}

TEST_CASE("checkpoint: a frozen network has none") {
  const TemporaryFolder folder;
  ParamStore store(ParamStore::Kind::Frozen);
  store.add("w", {1, 1, 1, 4});
  store.allocate();
  CHECK(error_of([&] { write_checkpoint("c.h5", kInfo, store); }) ==
        "c.h5: a frozen network has no training state");
}

TEST_CASE("checkpoint: truncated files are refused wherever they end") {
  const TemporaryFolder folder;
  write_checkpoint(folder / "whole.h5", kInfo, *filled_store());
  const std::string whole = read_text(folder / "whole.h5");
  const std::string path = folder / "cut.h5";
  for (std::size_t part = 0; part < 16; ++part) {
    CAPTURE(part);
    std::ofstream(path, std::ios::binary) << whole.substr(0, whole.size() * part / 16);
    CHECK(contains(read_error(path), path + ": "));
    CHECK(error_of([&] { read_checkpoint_info(path); }) != "");
  }
}

TEST_CASE("checkpoint: other files are refused") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.h5";
  CHECK(contains(read_error(path), path + ": "));  // there is none
  {
    H5Writer file(path);
    file.attribute("/", "format", "chiaro_weights");
    file.close();
  }
  CHECK(read_error(path) == path + ": not a chiaro checkpoint");
  {
    H5Writer file(path);
    file.group("values");
    file.close();
  }
  CHECK(read_error(path) == path + ": not a chiaro checkpoint");
  {
    H5Writer file(path);
    file.attribute("/", "format", "chiaro_checkpoint");
    file.attribute("/", "version", std::int64_t{2});
    file.close();
  }
  CHECK(read_error(path) == path + ": checkpoint version 2, this program reads version 1");
  std::ofstream(path) << "[loss]\n";
  CHECK(contains(read_error(path), "is not an HDF5 file"));
}
