#include "weights_import/files/torch_zip.hpp"

#include <unistd.h>
#include <zip.h>
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/io/input_file.hpp"
#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "weights_import/files/torch_state_dict.hpp"

namespace chiaro {

namespace {

constexpr std::int64_t kMaxEntries = 200000;

}  // namespace

void TorchArchive::Discard::operator()(zip* archive) const {
  zip_discard(archive);
}

void TorchArchive::Close::operator()(zip_file* file) const {
  zip_fclose(file);
}

TorchArchive::TorchArchive(const InputFile& input) : name_(input.name()), bytes_(input.bytes()) {
  int problem = 0;
  const int descriptor = input.duplicate();
  archive_.reset(zip_fdopen(descriptor, 0, &problem));  // takes the descriptor
  if (!archive_) {
    ::close(descriptor);
    zip_error_t error;
    zip_error_init_with_code(&error, problem);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw Error("{}: is a zip archive that is cut short or damaged ({}); download it again", name_, reason);
  }
  const std::int64_t count = zip_get_num_entries(archive_.get(), 0);
  if (count > kMaxEntries) throw Error("{}: has {} entries, expected at most {}", name_, count, kMaxEntries);
  for (std::int64_t i = 0; i < count; ++i) {
    const char* entry = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
    if (!entry) throw Error("{}: entry {} of the archive has no name: the file is damaged", name_, i);
    entries_.emplace_back(entry);
    indices_.emplace(entry, static_cast<std::uint64_t>(i));
  }
}

std::optional<TorchArchive::Entry> TorchArchive::find(const std::string& entry) const {
  // Not zip_name_locate(): it does not find every name that zip_get_name() gives for damaged archives.
  const auto found = indices_.find(entry);
  if (found == indices_.end()) return {};
  const std::uint64_t index = found->second;
  zip_stat_t status;
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if (zip_stat_index(archive_.get(), index, 0, &status) != 0 || (status.valid & kNeeded) != kNeeded) {
    throw Error("{}: entry '{}' of the archive is damaged", name_, entry);
  }
  if (status.comp_method != ZIP_CM_STORE || status.encryption_method != ZIP_EM_NONE) {
    throw Error(
        "{}: entry '{}' is compressed or encrypted, which PyTorch never does: unpack the archive and save "
        "the weights again with torch.save",
        name_, entry);
  }
  if (status.size > static_cast<zip_uint64_t>(bytes_)) {
    throw Error("{}: entry '{}' has {} bytes, the whole file only {}: the file is damaged", name_, entry,
                status.size, bytes_);
  }
  return Entry{index, static_cast<std::int64_t>(status.size)};
}

void TorchArchive::read(const Entry& entry, std::int64_t offset, std::span<std::byte> out) const {
  const auto damaged = [&] {
    open_.reset();
    throw Error("{}: entry '{}' cannot be read: the file is damaged; download it again", name_,
                entries_[entry.index]);
  };
  if (offset < 0 || std::ssize(out) > entry.bytes || offset > entry.bytes - std::ssize(out)) damaged();
  if (!open_ || open_index_ != entry.index || open_position_ > offset) {
    open_.reset(zip_fopen_index(archive_.get(), entry.index, 0));
    if (!open_) damaged();
    open_index_ = entry.index;
    open_position_ = 0;
  }
  if (open_position_ != offset && zip_fseek(open_.get(), offset, SEEK_SET) != 0) damaged();
  open_position_ = offset + std::ssize(out);
  while (!out.empty()) {
    const zip_int64_t count = zip_fread(open_.get(), out.data(), out.size());
    if (count <= 0) damaged();
    out = out.subspan(static_cast<std::size_t>(count));
  }
  // Only a read at the end makes libzip compare the checksum.
  std::byte beyond{};
  if (open_position_ == entry.bytes && zip_fread(open_.get(), &beyond, 1) != 0) damaged();
}

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

std::unique_ptr<TensorFile> open_torch_zip(std::unique_ptr<InputFile> input) {
  return std::make_unique<TorchZip>(TorchArchive(*input));
}

}  // namespace chiaro
