// PyTorch's zip archives.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/io/input_file.hpp"
#include "weights_import/files/tensor_file.hpp"

struct zip;
struct zip_file;

namespace chiaro {

// Zip archives as PyTorch writes them: every entry stored, none compressed. Over libzip, whose header stays
// in torch_zip.cpp. Errors begin with the archive's name. One object is used by one thread at a time.

class TorchArchive {
 public:
  struct Entry {
    std::uint64_t index;
    std::int64_t bytes;
  };

  // An archive that is cut short or damaged is an Error.
  explicit TorchArchive(const InputFile& input);

  const std::string& name() const { return name_; }
  std::int64_t bytes() const { return bytes_; }  // of the whole file
  const std::vector<std::string>& entries() const { return entries_; }

  // Nothing when there is no such entry. A compressed or encrypted one is an Error.
  std::optional<Entry> find(const std::string& entry) const;

  // Fills out with the entry's bytes from offset on. Reading an entry from its first byte to its last, in any
  // number of calls, also checks its checksum.
  void read(const Entry& entry, std::int64_t offset, std::span<std::byte> out) const;

 private:
  struct Discard {
    void operator()(zip* archive) const;
  };
  struct Close {
    void operator()(zip_file* file) const;
  };

  std::string name_;
  std::int64_t bytes_ = 0;
  std::vector<std::string> entries_;
  std::unordered_map<std::string, std::uint64_t> indices_;  // of a name that is there twice, the first
  std::unique_ptr<zip, Discard> archive_;
  // The entry read last stays open, so that reading it in pieces does not start from its beginning again.
  mutable std::unique_ptr<zip_file, Close> open_;
  mutable std::uint64_t open_index_ = 0;
  mutable std::int64_t open_position_ = 0;
};

// State dicts as torch.save writes them since PyTorch 1.6: a zip archive with <prefix>/data.pkl, the values
// in <prefix>/data/<key>, one entry per storage.

// Checks all names, shapes and sizes; see find_torch_tensors() for which tensors it offers. TorchScript
// archives, .npz and other zip files are Errors that say so.
std::unique_ptr<TensorFile> open_torch_zip(std::unique_ptr<InputFile> input);

}  // namespace chiaro
