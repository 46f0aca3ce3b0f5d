// What the builders of batches share: the order of an epoch, prepared samples kept in memory, and which
// samples cannot be used. Everything may be called from several threads.
#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/rng.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {

struct BadPhoto {
  std::string name;
  std::string reason;  // one line that begins with the path
};

// The heading and one line for each of the first `lines`; "" for none.
std::string bad_photo_text(const std::string& heading, const std::vector<BadPhoto>& bad, std::size_t lines);

// A permutation of 0 .. count-1 per epoch: a pure function of (rng, epoch).
class EpochOrders {
 public:
  using Order = std::shared_ptr<const std::vector<std::int64_t>>;

  EpochOrders(const Rng& rng, std::int64_t count) : rng_(rng), count_(count) {}
  Order of(std::int64_t epoch);

 private:
  Rng rng_;
  std::int64_t count_;
  std::mutex mutex_;
  std::deque<std::pair<std::int64_t, Order>> orders_;  // of the last few epochs
};

template <class T>
class SampleStore {
 public:
  using Sample = std::shared_ptr<const T>;

  // Samples are kept up to cache_bytes; which of them are kept changes no sample. topic, plural: for errors,
  // "photos: none of 8 photos ...".
  SampleStore(std::int64_t count, std::int64_t cache_bytes, std::string topic, std::string plural)
      : topic_(std::move(topic)),
        plural_(std::move(plural)),
        cache_bytes_(cache_bytes),
        cache_(static_cast<std::size_t>(count)) {}

  // The sample of an index, made by make() -> T where it is not kept; bytes_of(const T&) is its size. Null
  // where make() throws Error: then and later the sample counts as bad. make() runs outside of any lock.
  template <class Make, class BytesOf>
  Sample get(std::int64_t index, Make&& make, BytesOf&& bytes_of) {
    const auto slot = static_cast<std::size_t>(index);
    {
      const std::lock_guard lock(mutex_);
      if (cache_[slot]) return cache_[slot];
      if (bad_.contains(index)) return nullptr;
    }
    try {
      const auto ready = std::make_shared<const T>(make());
      const std::int64_t bytes = bytes_of(*ready);
      const std::lock_guard lock(mutex_);
      // Nothing is ever dropped: with every sample used once per epoch no other policy has more hits.
      if (!cache_[slot] && cached_bytes_ + bytes <= cache_bytes_) {
        cache_[slot] = ready;
        cached_bytes_ += bytes;
      }
      return ready;
    } catch (const Error& error) {
      const std::lock_guard lock(mutex_);
      bad_.emplace(index, error.what());
      return nullptr;
    }
  }

  // The first usable of the samples index_at(place), index_at(place + 1), ..., and its index; get(index) is
  // asked for each. Error when all are bad, or kMaxReplacements one after the other.
  template <class IndexAt, class Get>
  std::pair<std::int64_t, Sample> first_usable(std::int64_t place, IndexAt&& index_at, Get&& get) {
    const std::int64_t tries = std::min(std::ssize(cache_), kMaxReplacements);
    for (std::int64_t i = 0; i < tries; ++i) {
      const std::int64_t index = index_at(place + i);
      if (Sample sample = get(index)) return {index, std::move(sample)};
    }
    throw Error("{}: none of {} {} in a row can be used; the first: {}", topic_, tries, plural_,
                bad().at(index_at(place)));
  }

  // Reasons by index.
  std::map<std::int64_t, std::string> bad() const {
    const std::lock_guard lock(mutex_);
    return bad_;
  }

 private:
  static constexpr std::ptrdiff_t kMaxReplacements = 1000;

  const std::string topic_, plural_;
  const std::int64_t cache_bytes_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Sample> cache_;
  std::int64_t cached_bytes_ = 0;
  std::map<std::int64_t, std::string> bad_;
};

}  // namespace chiaro
