#include "weights_import/files/torch_archive.hpp"

#include <zip.h>

#include <algorithm>

#include "kernels/base/error.hpp"
#include "weights_import/files/input_file.hpp"

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

TorchArchive::TorchArchive(const std::filesystem::path& path)
    : name_(path.string()), bytes_(InputFile(path).bytes()) {
  int problem = 0;
  archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &problem));
  if (!archive_) {
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

}  // namespace chiaro
