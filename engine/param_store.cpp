#include "engine/param_store.hpp"

#include <cstring>

#include "kernels/common/error.hpp"

namespace chiaro {

int ParamStore::add(const std::string& name, Shape shape) {
  if (const auto it = index_.find(name); it != index_.end()) {
    require(entries_[it->second].shape == shape, "parameter '{}' declared with shapes {} and {}", name,
            to_string(entries_[it->second].shape), to_string(shape));
    return it->second;
  }
  require(!values_, "parameter '{}' declared after the store was allocated", name);
  require(shape.count() > 0, "parameter '{}' has the empty shape {}", name, to_string(shape));
  constexpr std::int64_t kAlign = 16;  // floats
  entries_.push_back({name, shape, slab_count_});
  slab_count_ += (shape.count() + kAlign - 1) / kAlign * kAlign;
  index_[name] = static_cast<int>(entries_.size()) - 1;
  return index_[name];
}

void ParamStore::allocate() {
  if (values_) return;
  const auto zeroed = [&](const char* purpose) {
    Buffer b(slab_count_ * 4, purpose);
    std::memset(b.data(), 0, b.bytes());
    return b;
  };
  values_ = zeroed("parameters");
  if (!trainable()) return;
  gradients_ = zeroed("parameter gradients");
  first_moments_ = zeroed("Adam's first moments");
  second_moments_ = zeroed("Adam's second moments");
}

const ParamStore::Entry* ParamStore::find(const std::string& name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &entries_[it->second];
}

std::int64_t ParamStore::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& e : entries_) count += e.shape.count();
  return count;
}

const void* ParamStore::packed(int index, const std::string& key, std::int64_t bytes,
                               const std::function<void(const float*, void*)>& pack) {
  auto& copy = packed_[{index, key}];
  if (!copy.data) copy.data = Buffer(bytes, "packed weights of " + entries_[index].name);
  require(copy.data.bytes() == bytes, "packed copy '{}' of {} has {} bytes, {} asked for", key,
          entries_[index].name, copy.data.bytes(), bytes);
  if (copy.version != version_) {
    pack(value(index), copy.data.data());
    copy.version = version_;
  }
  return copy.data.data();
}

std::int64_t ParamStore::packed_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& [key, copy] : packed_) bytes += copy.data.bytes();
  return bytes;
}

}  // namespace chiaro
