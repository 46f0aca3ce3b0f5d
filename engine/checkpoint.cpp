#include "engine/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "engine/io/h5_file.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

namespace {

constexpr const char* kCheckpointFormat = "chiaro_checkpoint";
constexpr std::int64_t kCheckpointVersion = 1;
constexpr const char* kAverages = "averages";

// One group of a file: a slab of values of a store.
struct Slab {
  const char* group;
  const ParamStore* store;
  std::span<float> values;

  std::span<float> of(const ParamStore::Entry& entry) const {
    return values.subspan(static_cast<std::size_t>(entry.offset),
                          static_cast<std::size_t>(entry.shape.count()));
  }
};

std::vector<Slab> slabs_of(const ParamStore& store, const ParamStore* statistics) {
  std::vector<Slab> slabs{{"values", &store, store.values()},
                          {"first_moments", &store, store.first_moments()},
                          {"second_moments", &store, store.second_moments()}};
  if (store.has_averages()) slabs.push_back({kAverages, &store, store.averages()});
  if (statistics) slabs.push_back({"statistics", statistics, statistics->values()});
  return slabs;
}

// FNV-1a, 64 bits, over the bit patterns of all values. HDF5 alone does not notice a changed byte.
std::int64_t checksum(const std::vector<Slab>& slabs) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const auto& slab : slabs)
    for (const auto& entry : slab.store->entries())
      for (const float value : slab.of(entry))
        hash = (hash ^ std::bit_cast<std::uint32_t>(value)) * 0x100000001b3u;
  return std::bit_cast<std::int64_t>(hash);
}

std::array<std::int64_t, 4> dimensions(const Shape& s) {
  return {s.n, s.h, s.w, s.c};
}

CheckpointInfo read_info(const H5Reader& file) {
  if (!file.has_attribute("/", "format") || file.string_attribute("/", "format") != kCheckpointFormat)
    throw Error("{}: not a chiaro checkpoint", file.file());
  if (const auto version = file.integer_attribute("/", "version"); version != kCheckpointVersion)
    throw Error("{}: checkpoint version {}, this program reads version {}", file.file(), version,
                kCheckpointVersion);
  return {.iteration = file.integer_attribute("/", "iteration"),
          .seconds = file.has_attribute("/", "seconds") ? file.number_attribute("/", "seconds") : 0,
          .threads = file.integer_attribute("/", "threads"),
          .device = file.has_attribute("/", "device") ? file.string_attribute("/", "device") : "cpu",
          .precision = file.string_attribute("/", "precision"),
          .config = file.string_attribute("/", "config")};
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const CheckpointInfo& info, const ParamStore& store,
                      const ParamStore* statistics) {
  require(store.trainable(), "{}: a frozen network has no training state", path.string());
  const auto slabs = slabs_of(store, statistics);
  for (const auto& slab : slabs)
    for (const auto& entry : slab.store->entries()) {
      const auto values = slab.of(entry);
      if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
        throw Error("{}: not written, because {} of parameter '{}' hold a value that is not finite",
                    path.string(), slab.group, entry.name);
    }
  H5Writer file(path);
  file.attribute("/", "format", kCheckpointFormat);
  file.attribute("/", "version", kCheckpointVersion);
  file.attribute("/", "iteration", info.iteration);
  file.attribute("/", "seconds", info.seconds);
  file.attribute("/", "threads", info.threads);
  file.attribute("/", "device", info.device);
  file.attribute("/", "precision", info.precision);
  file.attribute("/", "config", info.config);
  file.attribute("/", "checksum", checksum(slabs));
  for (const auto& slab : slabs)
    for (const auto& entry : slab.store->entries())
      file.floats(std::string(slab.group) + "/" + entry.name, dimensions(entry.shape), slab.of(entry));
  file.close();
}

CheckpointInfo read_checkpoint_info(const std::filesystem::path& path) {
  return read_info(H5Reader(path));
}

CheckpointInfo read_checkpoint(const std::filesystem::path& path, ParamStore& store, ParamStore* statistics) {
  const H5Reader file(path);
  CheckpointInfo info = read_info(file);
  auto slabs = slabs_of(store, statistics);
  const bool without_averages = store.has_averages() && !file.exists(kAverages);
  if (without_averages) std::erase_if(slabs, [](const Slab& slab) { return slab.group == kAverages; });
  for (const auto& slab : slabs) {
    if (!file.exists(slab.group)) throw Error("{}: holds no {}", file.file(), slab.group);
    if (slab.group != slabs.front().group && slab.store == &store) continue;  // the same names
    for (const std::string& name : file.datasets(slab.group))
      if (!slab.store->find(name))
        throw Error("{}: holds parameter '{}', which this network does not have", file.file(), name);
  }
  for (const auto& slab : slabs) {
    for (const auto& entry : slab.store->entries())
      file.read_floats(std::string(slab.group) + "/" + entry.name, dimensions(entry.shape), slab.of(entry));
  }
  if (without_averages) std::ranges::copy(store.values(), store.averages().begin());
  store.values_changed();
  if (statistics) statistics->values_changed();
  if (checksum(slabs) != file.integer_attribute("/", "checksum"))
    throw Error("{}: damaged: its checksum is not that of its values", file.file());
  return info;
}

}  // namespace chiaro
