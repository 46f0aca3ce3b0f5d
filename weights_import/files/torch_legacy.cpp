#include "weights_import/files/torch_legacy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/base/error.hpp"
#include "weights_import/files/torch_state_dict.hpp"

namespace chiaro {
namespace {

using namespace std::string_view_literals;

// 0x1950a86a20f9469cfc6c as a LONG1, and STOP. Before it stands PROTO, with protocol 4 also FRAME.
constexpr std::string_view kMagic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."sv;
constexpr std::int64_t kProtocolVersion = 1001;

struct StoredAs {
  ElementType type;
  std::int64_t count;
  std::int64_t offset = -1;  // of its values in the file
};
using Storages = std::unordered_map<std::string, StoredAs>;

// Where the pickle of the magic number ends.
std::int64_t skip_magic(const InputFile& input) {
  std::array<char, 32> head{};
  const auto size = static_cast<std::size_t>(std::min(input.bytes(), std::ssize(head)));
  input.read(0, std::as_writable_bytes(std::span(head).first(size)), "the magic number");
  const std::string_view text(head.data(), size);
  for (const std::size_t at : {2, 11}) {
    if (text.size() >= at && text.substr(at).starts_with(kMagic)) {
      return static_cast<std::int64_t>(at + kMagic.size());
    }
  }
  throw Error(
      "{}: is a Python pickle, but not one that torch.save wrote (or it is cut short): there is no magic "
      "number; expected a PyTorch state dict",
      input.name());
}

// All storages of the object, also those that no tensor of the state dict uses: their values lie between.
Storages find_storages(const Pickle& object, const std::string& file) {
  Storages storages;
  for (const PickleValue& id : object.all(PickleKind::PersistentId)) {
    const TorchStorage storage = parse_torch_storage(id, file);
    const auto [found, added] = storages.try_emplace(storage.key, StoredAs{storage.type, storage.count});
    if (!added && (found->second.type != storage.type || found->second.count != storage.count)) {
      throw Error("{}: storage '{}' has two types or sizes: the file is damaged", file,
                  printable(storage.key));
    }
  }
  return storages;
}

// Gives every storage its place in the file, in the order of the keys.
void place_storages(const InputFile& input, const Pickle& keys, Storages& storages) {
  if (!keys.root().is(PickleKind::List)) {
    throw Error("{}: the keys of its storages are {}, expected a list", input.name(), keys.root().describe());
  }
  std::int64_t position = keys.end();
  for (const PickleValue& item : keys.root().items()) {
    const std::string key(item.text("the key of a storage"));
    const auto found = storages.find(key);
    if (found == storages.end() || found->second.offset >= 0) {
      throw Error("{}: storage '{}' is stored twice, or nothing refers to it: the file is damaged",
                  input.name(), printable(key));
    }
    const std::string what = fmt::format("storage '{}'", printable(key));
    std::array<std::byte, 8> raw;
    input.read(position, raw, what.c_str());
    const auto count = std::bit_cast<std::int64_t>(raw);
    StoredAs& storage = found->second;
    if (count != storage.count) {
      throw Error("{}: storage '{}' has {} numbers, expected {}: the file is damaged", input.name(),
                  printable(key), count, storage.count);
    }
    const std::int64_t bytes = element_bytes(storage.type);
    storage.offset = position + 8;
    // A count beyond the file is refused before it is multiplied.
    input.check_range(storage.offset, count > input.bytes() ? count : count * bytes, what.c_str());
    position = storage.offset + count * bytes;
  }
  for (const auto& [key, storage] : storages) {
    if (storage.offset < 0) throw Error("{}: storage '{}' is missing", input.name(), printable(key));
  }
}

class TorchLegacy : public TensorFile {
 public:
  explicit TorchLegacy(std::unique_ptr<InputFile> input)
      : TensorFile(input->name(), "PyTorch (legacy)", input->bytes()), input_(std::move(input)) {
    const PickleRules rules = torch_pickle_rules();
    const Pickle version(*input_, skip_magic(*input_), rules);
    if (const std::int64_t found = version.root().integer("the protocol version");
        found != kProtocolVersion) {
      throw Error("{}: has PyTorch's protocol version {}, expected {}", file(), found, kProtocolVersion);
    }
    const Pickle system(*input_, version.end(), rules);
    const Pickle object(*input_, system.end(), rules);
    const std::vector<TorchTensor> sources = find_torch_tensors(object, file());
    Storages storages = find_storages(object, file());
    place_storages(*input_, Pickle(*input_, object.end(), rules), storages);
    for (const TorchTensor& source : sources) {
      sources_.push_back({source.layout, storages.at(source.storage.key).offset});
      tensors_.push_back({source.name, source.layout.shape, source.layout.type});
    }
  }

 protected:
  std::vector<float> read_values(std::size_t index) const override {
    const Source& source = sources_.at(index);
    const std::string what = fmt::format("tensor '{}'", printable(tensors_[index].name));
    return read_strided(source.layout, [&](std::int64_t offset, std::span<std::byte> bytes) {
      input_->read(source.offset + offset, bytes, what.c_str());
    });
  }

 private:
  struct Source {
    StridedTensor layout;
    std::int64_t offset;  // of the storage in the file
  };

  std::unique_ptr<InputFile> input_;
  std::vector<Source> sources_;
};

}  // namespace

std::unique_ptr<TensorFile> open_torch_legacy(std::unique_ptr<InputFile> input) {
  return std::make_unique<TorchLegacy>(std::move(input));
}

bool is_torch_tar(const InputFile& input) {
  constexpr std::int64_t kMagicAt = 257;
  constexpr std::string_view kTar = "ustar";
  if (input.bytes() < kMagicAt + std::ssize(kTar)) return false;
  std::array<char, kTar.size()> found{};
  input.read(kMagicAt, std::as_writable_bytes(std::span(found)), "the header of a tar archive");
  return std::string_view(found.data(), found.size()) == kTar;
}

}  // namespace chiaro
