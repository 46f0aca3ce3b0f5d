// The parameters of one network, by name, in contiguous fp32 slabs.
//
// A trainable store has four slabs of equal layout: values, gradients and Adam's two moments, so that the
// optimiser and the gradient norm are one pass each. A frozen store (a loss network) has values only. Shapes:
// weights KRSC as Shape{K,R,S,C}; vectors as Shape{1,1,1,C}. Every tensor starts on a 64-byte boundary; the
// gaps stay zero in every slab.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/buffer.hpp"
#include "kernels/common/tensor_view.hpp"

namespace chiaro {

class ParamStore {
 public:
  enum class Kind { Trainable, Frozen };
  struct Entry {
    std::string name;
    Shape shape;
    std::int64_t offset = 0;  // in floats
  };

  explicit ParamStore(Kind kind) : kind_(kind) {}
  ParamStore(const ParamStore&) = delete;
  ParamStore& operator=(const ParamStore&) = delete;

  bool trainable() const { return kind_ == Kind::Trainable; }

  // Declares a parameter and returns its index. Declaring a name again with the same shape returns the same
  // index, so that a network which runs twice in a graph shares its weights; another shape is an Error.
  int add(const std::string& name, Shape shape);
  // Allocates the slabs, zeroed. No add() with a new name afterwards.
  void allocate();

  std::span<const Entry> entries() const { return entries_; }
  const Entry* find(const std::string& name) const;
  std::int64_t parameter_count() const;  // without the gaps
  std::int64_t slab_count() const { return slab_count_; }

  float* value(int index) const { return values_.as<float>() + entries_[index].offset; }
  float* gradient(int index) const { return gradients_.as<float>() + entries_[index].offset; }
  std::span<float> values() const { return slab(values_); }
  std::span<float> gradients() const { return slab(gradients_); }
  std::span<float> first_moments() const { return slab(first_moments_); }
  std::span<float> second_moments() const { return slab(second_moments_); }

  // Call after changing values: packed copies are renewed at their next use.
  void values_changed() { ++version_; }

  // A copy of a parameter in the form that an implementation wants, made by pack(float* value, void* packed)
  // when there is none or the values have changed since. Equal keys share one copy.
  const void* packed(int index, const std::string& key, std::int64_t bytes,
                     const std::function<void(const float*, void*)>& pack);
  std::int64_t packed_bytes() const;

 private:
  struct Packed {
    Buffer data;
    std::uint64_t version = 0;
  };

  std::span<float> slab(const Buffer& b) const {
    return {b.as<float>(), static_cast<std::size_t>(slab_count_)};
  }

  Kind kind_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, int> index_;
  std::int64_t slab_count_ = 0;
  Buffer values_, gradients_, first_moments_, second_moments_;
  std::uint64_t version_ = 1;
  std::map<std::pair<int, std::string>, Packed> packed_;
};

// A parameter as a layer holds it.
struct Param {
  ParamStore* store = nullptr;
  int index = -1;

  explicit operator bool() const { return store != nullptr; }
  bool trainable() const { return store && store->trainable(); }
  Shape shape() const { return store->entries()[index].shape; }
  float* value() const { return store->value(index); }
  float* gradient() const { return store->gradient(index); }
};

inline Param add_param(ParamStore& store, const std::string& name, Shape shape) {
  return {&store, store.add(name, shape)};
}

}  // namespace chiaro
