#include "engine/param_store.hpp"

#include <cstring>

#include "kernels/base/cuda_graph_exec.hpp"
#include "kernels/base/error.hpp"
#include "kernels/conv2d/conv2d.hpp"
#include "kernels/elementwise/elementwise.hpp"

namespace chiaro {

int ParamStore::add(const std::string& name, Shape shape) {
  if (const auto it = index_.find(name); it != index_.end()) {
    require(entries_[it->second].shape == shape, "parameter '{}' declared with shapes {} and {}", name,
            to_string(entries_[it->second].shape), to_string(shape));
    return it->second;
  }
  require(!host_[0], "parameter '{}' declared after the store was allocated", name);
  require(shape.count() > 0, "parameter '{}' has the empty shape {}", name, to_string(shape));
  constexpr std::int64_t kAlign = 16;  // floats
  entries_.push_back({name, shape, slab_count_});
  slab_count_ += (shape.count() + kAlign - 1) / kAlign * kAlign;
  index_[name] = static_cast<int>(entries_.size()) - 1;
  return index_[name];
}

namespace {

// What files and initialization change; gradients follow from these.
constexpr std::array kState{ParamStore::Slab::Values, ParamStore::Slab::FirstMoments,
                            ParamStore::Slab::SecondMoments, ParamStore::Slab::Averages};

}  // namespace

void ParamStore::keep_averages() {
  require(trainable() && !host_[0], "running averages are kept of what is trained, from the beginning on");
  keeps_averages_ = true;
}

void ParamStore::allocate() {
  if (host_[0]) return;
  constexpr std::array purposes{"parameters", "parameter gradients", "Adam's first moments",
                                "Adam's second moments", "running averages of parameters"};
  const std::size_t slabs = !trainable() ? 1 : keeps_averages_ ? 5 : 4;
  for (std::size_t i = 0; i < slabs; ++i) {
    host_[i] = Buffer(slab_count_ * 4, purposes[i]);
    std::memset(host_[i].data(), 0, host_[i].bytes());
  }
}

void ParamStore::place_on(Context& context) {
  const bool computes_elsewhere = context.device() != Device::Cpu;
  if (context_) {
    require(computes_elsewhere && &context_->cuda() == &context.cuda(),
            "parameters that are on a GPU cannot be used on another device");
    return;
  }
  if (!computes_elsewhere) return;
  allocate();
  for (std::size_t i = 0; i < host_.size() && host_[i]; ++i)
    device_[i] = Buffer(host_[i].bytes(), "parameters on the GPU", MemoryKind::Device);
  context_ = context;
  packed_.clear();
  if (trainable()) copy_slab(host_, device_, Slab::Gradients);
  send_values();
}

void ParamStore::copy_slab(const Slabs& from, const Slabs& to, Slab slab) const {
  const auto i = static_cast<std::size_t>(slab);
  if (from[i]) copy_async(*context_, to[i].data(), from[i].data(), from[i].bytes());
}

std::span<float> ParamStore::host(Slab slab) const {
  if (context_ && (host_is_stale_ || slab == Slab::Gradients)) {
    if (slab == Slab::Gradients) {
      copy_slab(device_, host_, slab);
    } else {
      for (const Slab changed : kState) copy_slab(device_, host_, changed);
      host_is_stale_ = false;
    }
    synchronize(*context_);
  }
  return {host_[static_cast<std::size_t>(slab)].as<float>(), static_cast<std::size_t>(slab_count_)};
}

float* ParamStore::compute(Slab slab) const {
  const auto i = static_cast<std::size_t>(slab);
  return (context_ ? device_ : host_)[i].as<float>();
}

std::uint64_t ParamStore::recording() const {
  return context_ ? recording_number(*context_) : 0;
}

void ParamStore::send_values() const {
  for (const Slab slab : kState) copy_slab(host_, device_, slab);
  synchronize(*context_);
}

void ParamStore::values_changed() {
  require(!recording(), "the host changed parameters in work that is recorded, where it has no effect");
  note_change(true);
  if (!context_) return;
  send_values();
  if (rounded_) round_values();
}

void ParamStore::values_computed(bool with_rounded) {
  require_not_held();
  if (rounded_ && !with_rounded) round_values();
  if (!recording()) return note_change(false);
  ++recorded_changes_;
  note_at_replays([this] { note_change(false); });
}

void ParamStore::require_not_held() const {
  require(!held_by_recording_,
          "the parameters of a frozen network were changed after work that uses packed copies of them was "
          "recorded");
}

void ParamStore::note_change(bool by_host) {
  require_not_held();
  ++version_;
  host_is_stale_ = context_ && !by_host;
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
  // Recorded changes of the values renew the rounded slab only if it was there when they were recorded.
  if (context_ && trainable() && key == conv2d::kRoundedKey && (rounded_ || recorded_changes_ == 0))
    return packed_rounded(index);
  auto& copy = packed_[{index, key}];
  if (!copy.data)
    copy.data = Buffer(bytes, "packed weights of " + entries_[index].name,
                       context_ ? MemoryKind::Device : MemoryKind::Host);
  require(copy.data.bytes() == bytes, "packed copy '{}' of {} has {} bytes, {} asked for", key,
          entries_[index].name, copy.data.bytes(), bytes);
  const std::uint64_t in_recording = recording();
  if (is_current(copy, in_recording)) return copy.data.data();
  pack(compute(Slab::Values) + entries_[index].offset, copy.data.data());
  if (in_recording) {
    copy.recording = in_recording;
    copy.change = recorded_changes_;
  } else {
    copy.version = version_;
  }
  return copy.data.data();
}

bool ParamStore::is_current(const Packed& copy, std::uint64_t in_recording) {
  if (in_recording && copy.recording == in_recording && copy.change == recorded_changes_) return true;
  if (in_recording && trainable()) return false;
  if (copy.version != version_) return false;
  if (in_recording) held_by_recording_ = true;
  return true;
}

const void* ParamStore::packed_rounded(int index) {
  if (!rounded_) {
    rounded_ = Buffer(slab_count_ * 2, "parameters rounded to bf16", MemoryKind::Device);
    round_values();
  }
  return rounded_.as<bf16>() + entries_[index].offset;
}

void ParamStore::round_values() {
  const Shape all{1, 1, 1, slab_count_};
  copy(*context_, {compute(Slab::Values), DType::F32, all}, {rounded_.data(), DType::BF16, all},
       GradientMode::Overwrite);
}

std::int64_t ParamStore::packed_bytes() const {
  std::int64_t bytes = rounded_.bytes();
  for (const auto& [key, copy] : packed_) bytes += copy.data.bytes();
  return bytes;
}

}  // namespace chiaro
