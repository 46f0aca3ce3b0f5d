// The parameters of one network, by name, in contiguous fp32 slabs.
//
// A trainable store has four slabs of equal layout: values, gradients and Adam's two moments, so that the
// optimizer and the gradient norm are one pass each; and with keep_averages() running averages of the values.
// A frozen store (a loss network) has values only.
// Shapes: weights KRSC as Shape{K,R,S,C}; vectors as Shape{1,1,1,C}. Every tensor starts on a 64-byte
// boundary; the gaps stay zero in every slab.
//
// Two views of the same numbers: the host's (value, values, ...), for files and initialization, and the one
// that kernels compute with (compute, Param::value). On the CPU they are the same memory. On a CUDA device
// values_changed() sends what the host wrote, and the host's view fetches, by a copy that waits, what kernels
// have changed since: so a pointer of the host's is good until the next values_computed().
//
// Copies in other forms (packed, rounded) follow the values. Recorded work (base/cuda_graph_exec.hpp) is
// replayed at moments when other copies are up to date than when it was recorded:
//   Trainable: a recording packs what it reads, whatever has been packed outside; each copy once, and again
//              after a change of the values inside it.
//   Rounded:   is up to date at all times, because every change of the values renews it there and then.
//   Frozen:    a recording takes copies that are up to date; changing the values afterwards is an Error.
// After a replay the host knows that the values have changed if the recorded work has said so.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/buffer.hpp"
#include "kernels/base/tensor.hpp"

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
  // A trainable store then has averages(), which whoever changes the values looks after. Before allocate().
  void keep_averages();
  bool has_averages() const { return keeps_averages_; }
  // Allocates the slabs, zeroed. No add() with a new name afterwards.
  void allocate();

  std::span<const Entry> entries() const { return entries_; }
  const Entry* find(const std::string& name) const;
  std::int64_t parameter_count() const;  // without the gaps
  std::int64_t slab_count() const { return slab_count_; }

  // The host's view.
  float* value(int index) const { return values().data() + entries_[index].offset; }
  float* gradient(int index) const { return gradients().data() + entries_[index].offset; }
  std::span<float> values() const { return host(Slab::Values); }
  std::span<float> gradients() const { return host(Slab::Gradients); }
  std::span<float> first_moments() const { return host(Slab::FirstMoments); }
  std::span<float> second_moments() const { return host(Slab::SecondMoments); }
  std::span<float> averages() const { return host(Slab::Averages); }
  // Call after changing values, moments or averages there. Sends them to the device and waits; packed copies
  // are renewed at their next use. Error: while work is recorded.
  void values_changed();

  // The view of kernels: slab_count() floats each.
  enum class Slab { Values, Gradients, FirstMoments, SecondMoments, Averages };
  // Makes the context's device the one that computes. Sessions do it for every store of their graph. Once: a
  // store stays on its device; another one is an Error.
  void place_on(Context& context);
  float* compute(Slab slab) const;
  // Call after queueing, or recording, kernels that change values, moments or averages; replays of what is
  // recorded need no call. with_rounded: the kernels also write rounded(), if there is one; otherwise this
  // queues that.
  void values_computed(bool with_rounded = false);
  // All values rounded to bf16, in the order of the slab, on a GPU where packed() has been asked for them
  // under conv2d::kRoundedKey before a change of the values was recorded; else null. Optimizers that write it
  // save a pass over the values.
  bf16* rounded() const { return rounded_.as<bf16>(); }

  // A copy of a parameter in the form that an implementation wants, in the memory of the device that
  // computes, made by pack(float* value, void* packed) when there is none or the values have changed since;
  // in recorded work as said above. Equal keys share one copy. The first call for a key allocates.
  const void* packed(int index, const std::string& key, std::int64_t bytes,
                     const std::function<void(const float*, void*)>& pack);
  std::int64_t packed_bytes() const;

 private:
  struct Packed {
    Buffer data;
    std::uint64_t version = 0;                // of the values that it was last packed from outside recordings
    std::uint64_t recording = 0, change = 0;  // that last packed it, and after how many changes
  };

  using Slabs = std::array<Buffer, 5>;  // by Slab; a frozen store has the first only

  std::span<float> host(Slab slab) const;
  std::uint64_t recording() const;  // the one that is being made; 0: none
  bool is_current(const Packed& copy, std::uint64_t recording);
  const void* packed_rounded(int index);
  void round_values();
  void require_not_held() const;
  void note_change(bool by_host);
  void copy_slab(const Slabs& from, const Slabs& to, Slab slab) const;
  void send_values() const;

  Kind kind_;
  bool keeps_averages_ = false;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, int> index_;
  std::int64_t slab_count_ = 0;
  Slabs host_, device_;                     // device_ is empty where the host computes
  mutable std::optional<Context> context_;  // of device_
  mutable bool host_is_stale_ = false;      // values, moments and averages
  std::uint64_t version_ = 1;               // of the values, as they are when everything queued has run
  std::uint64_t recorded_changes_ = 0;      // of the values, in recordings
  bool held_by_recording_ = false;          // packed copies of a frozen store
  Buffer rounded_;
  std::map<std::pair<int, std::string>, Packed> packed_;
};

// A parameter as a layer holds it.
struct Param {
  ParamStore* store = nullptr;
  int index = -1;

  explicit operator bool() const { return store != nullptr; }
  bool trainable() const { return store && store->trainable(); }
  Shape shape() const { return store->entries()[index].shape; }
  // Where kernels read and write them.
  float* value() const { return at(ParamStore::Slab::Values); }
  float* gradient() const { return at(ParamStore::Slab::Gradients); }

 private:
  float* at(ParamStore::Slab slab) const { return store->compute(slab) + store->entries()[index].offset; }
};

inline Param add_param(ParamStore& store, const std::string& name, Shape shape) {
  return {&store, store.add(name, shape)};
}

}  // namespace chiaro
