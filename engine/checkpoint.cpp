#include "engine/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "engine/io/h5_file.hpp"
#include "kernels/common/error.hpp"

namespace chiaro {

namespace {

constexpr const char* kFormat = "chiaro_checkpoint";
constexpr std::int64_t kVersion = 1;

struct Slab {
  const char* group;
  std::span<float> (ParamStore::*get)() const;
};
constexpr std::array<Slab, 3> kSlabs{{{"values", &ParamStore::values},
                                      {"first_moments", &ParamStore::first_moments},
                                      {"second_moments", &ParamStore::second_moments}}};

// FNV-1a, 64 bits, over the bit patterns of all values. HDF5 alone does not notice a changed byte.
std::int64_t checksum(const ParamStore& store) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const auto& slab : kSlabs)
    for (const auto& entry : store.entries())
      for (const float value : (store.*slab.get)().subspan(entry.offset, entry.shape.count()))
        hash = (hash ^ std::bit_cast<std::uint32_t>(value)) * 0x100000001b3u;
  return std::bit_cast<std::int64_t>(hash);
}

std::array<std::int64_t, 4> dimensions(const Shape& s) {
  return {s.n, s.h, s.w, s.c};
}

CheckpointInfo read_info(const H5Reader& file) {
  if (!file.has_attribute("/", "format") || file.string_attribute("/", "format") != kFormat)
    throw Error("{}: not a chiaro checkpoint", file.file());
  if (const auto version = file.integer_attribute("/", "version"); version != kVersion)
    throw Error("{}: checkpoint version {}, this program reads version {}", file.file(), version, kVersion);
  return {.iteration = file.integer_attribute("/", "iteration"),
          .threads = file.integer_attribute("/", "threads"),
          .precision = file.string_attribute("/", "precision"),
          .config = file.string_attribute("/", "config")};
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const CheckpointInfo& info,
                      const ParamStore& store) {
  require(store.trainable(), "{}: a frozen network has no training state", path.string());
  for (const auto& slab : kSlabs)
    for (const auto& entry : store.entries()) {
      const auto values = (store.*slab.get)().subspan(entry.offset, entry.shape.count());
      if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
        throw Error("{}: not written, because {} of parameter '{}' hold a value that is not finite",
                    path.string(), slab.group, entry.name);
    }
  H5Writer file(path);
  file.attribute("/", "format", kFormat);
  file.attribute("/", "version", kVersion);
  file.attribute("/", "iteration", info.iteration);
  file.attribute("/", "threads", info.threads);
  file.attribute("/", "precision", info.precision);
  file.attribute("/", "config", info.config);
  file.attribute("/", "checksum", checksum(store));
  for (const auto& slab : kSlabs)
    for (const auto& entry : store.entries())
      file.floats(std::string(slab.group) + "/" + entry.name, dimensions(entry.shape),
                  (store.*slab.get)().subspan(entry.offset, entry.shape.count()));
  file.close();
}

CheckpointInfo read_checkpoint_info(const std::filesystem::path& path) {
  return read_info(H5Reader(path));
}

CheckpointInfo read_checkpoint(const std::filesystem::path& path, ParamStore& store) {
  const H5Reader file(path);
  CheckpointInfo info = read_info(file);
  for (const std::string& name : file.datasets(kSlabs[0].group))
    if (!store.find(name))
      throw Error("{}: holds parameter '{}', which this network does not have", file.file(), name);
  for (const auto& slab : kSlabs)
    for (const auto& entry : store.entries())
      file.read_floats(std::string(slab.group) + "/" + entry.name, dimensions(entry.shape),
                       (store.*slab.get)().subspan(entry.offset, entry.shape.count()));
  store.values_changed();
  if (checksum(store) != file.integer_attribute("/", "checksum"))
    throw Error("{}: damaged: its checksum is not that of its values", file.file());
  return info;
}

}  // namespace chiaro
