#include "weights_import/files/torch_zip.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/files/torch_archive.hpp"
#include "weights_import/files/torch_state_dict.hpp"

namespace chiaro {
namespace {

std::vector<std::byte> read_entry(const TorchArchive& archive, const TorchArchive::Entry& entry) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(entry.bytes));
  archive.read(entry, 0, bytes);
  return bytes;
}

// What stands before "data.pkl": "candy/".
std::string find_prefix(const TorchArchive& archive) {
  const std::string pickle = "data.pkl";
  const std::vector<std::string>& entries = archive.entries();
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const std::string& entry) {
    return entry == pickle || entry.ends_with("/" + pickle);
  });
  if (found == entries.end()) {
    const bool npz = std::any_of(entries.begin(), entries.end(),
                                 [](const std::string& entry) { return entry.ends_with(".npy"); });
    if (npz) {
      throw Error(
          "{}: is a NumPy .npz archive; expected a PyTorch state dict, or a dictionary of arrays saved with "
          "np.save",
          archive.name());
    }
    std::vector<std::string> shown;
    for (std::size_t i = 0; i < std::min<std::size_t>(entries.size(), 5); ++i) {
      shown.push_back("'" + printable(entries[i]) + "'");
    }
    throw Error(
        "{}: is a zip archive, but not one of PyTorch: it has no data.pkl, but {}; if the weights are one "
        "of these files, unpack it",
        archive.name(), shown.empty() ? "nothing" : listed(shown));
  }
  const std::string prefix = found->substr(0, found->size() - pickle.size());
  const bool script = std::any_of(entries.begin(), entries.end(), [&](const std::string& entry) {
    return entry == prefix + "constants.pkl" || entry.starts_with(prefix + "code/");
  });
  if (script) throw Error("{}: is a TorchScript archive; save its state_dict() instead", archive.name());
  return prefix;
}

bool is_big_endian(const TorchArchive& archive, const std::string& prefix) {
  const std::optional<TorchArchive::Entry> entry = archive.find(prefix + "byteorder");
  if (!entry) return false;
  constexpr std::int64_t kLongest = 16;
  std::string order(static_cast<std::size_t>(std::min(entry->bytes, kLongest)), '\0');
  archive.read(*entry, 0, std::as_writable_bytes(std::span(order)));
  if (order != "big" && order != "little") {
    throw Error("{}: has byte order '{}', expected little or big", archive.name(), printable(order));
  }
  return order == "big";
}

class TorchZip : public TensorFile {
 public:
  explicit TorchZip(TorchArchive archive)
      : TensorFile(archive.name(), "PyTorch (zip)", archive.bytes()), archive_(std::move(archive)) {
    const std::string prefix = find_prefix(archive_);
    const bool big_endian = is_big_endian(archive_, prefix);
    {
      const Pickle pickle(file(), read_entry(archive_, *archive_.find(prefix + "data.pkl")),
                          torch_pickle_rules());
      sources_ = find_torch_tensors(pickle, file());
    }
    for (TorchTensor& source : sources_) {
      source.layout.big_endian = big_endian;
      const std::optional<TorchArchive::Entry> entry = archive_.find(prefix + "data/" + source.storage.key);
      const std::int64_t bytes = element_bytes(source.storage.type);
      if (!entry || source.storage.count > entry->bytes / bytes) {
        throw Error(
            "{}: tensor '{}' needs storage '{}' of {} numbers of {} bytes, found {}: the file is damaged",
            file(), printable(source.name), printable(source.storage.key), source.storage.count, bytes,
            entry ? fmt::format("{} bytes", entry->bytes) : "none");
      }
      entries_.push_back(*entry);
      tensors_.push_back({source.name, source.layout.shape, source.layout.type});
    }
  }

 protected:
  std::vector<float> read_values(std::size_t index) const override {
    return read_strided(sources_.at(index).layout, [&](std::int64_t offset, std::span<std::byte> bytes) {
      archive_.read(entries_.at(index), offset, bytes);
    });
  }

 private:
  TorchArchive archive_;
  std::vector<TorchTensor> sources_;
  std::vector<TorchArchive::Entry> entries_;
};

}  // namespace

std::unique_ptr<TensorFile> open_torch_zip(const std::filesystem::path& path) {
  return std::make_unique<TorchZip>(TorchArchive(path));
}

}  // namespace chiaro
