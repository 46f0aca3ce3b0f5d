// Parameters on the device: two views of the same numbers, and packed copies, also in recorded work.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "apps/training/optimizer.hpp"
#include "engine/param_store.hpp"
#include "kernels/base/cuda_graph_exec.hpp"
#include "kernels/conv2d/conv2d.hpp"
#include "tests/support/compare.hpp"

namespace chiaro {

namespace {

using Slab = ParamStore::Slab;

struct Store {
  ParamStore store;
  explicit Store(ParamStore::Kind kind = ParamStore::Kind::Trainable) : store(kind) {
    store.add("weight", {2, 1, 1, 9});
    store.add("bias", {1, 1, 1, 2});
    store.allocate();
    for (int i = 0; i < 2; ++i)
      for (std::int64_t k = 0; k < store.entries()[i].shape.count(); ++k)
        store.value(i)[k] = 1.001f + float(i) + float(k);
    store.values_changed();
  }
  std::int64_t count(int index) const { return store.entries()[std::size_t(index)].shape.count(); }
};

template <class T>
std::vector<T> fetch(Context& context, const void* from, std::int64_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  copy_async(context, values.data(), from, count * std::int64_t{sizeof(T)});
  synchronize(context);
  return values;
}

}  // namespace

TEST_CASE("parameters on the device: each view sees what was changed through the other") {
  Context gpu(Device::Cuda, 1);
  Store s;
  const std::vector<float> values(s.store.values().begin(), s.store.values().end());
  s.store.place_on(gpu);
  const std::int64_t count = s.store.slab_count();
  CHECK(fetch<float>(gpu, s.store.compute(Slab::Values), count) == values);

  fill_async(gpu, s.store.compute(Slab::FirstMoments), 0, count * 4);
  fill_async(gpu, s.store.compute(Slab::Values), 0, count * 4);
  s.store.values_computed();
  CHECK(std::ranges::count(s.store.values(), 0.f) == count);

  s.store.value(1)[1] = 7;
  s.store.first_moments()[3] = 8;
  s.store.values_changed();
  CHECK(fetch<float>(gpu, s.store.compute(Slab::Values), count)[32 + 1] == 7);
  CHECK(fetch<float>(gpu, s.store.compute(Slab::FirstMoments), count)[3] == 8);

  fill_async(gpu, s.store.compute(Slab::Gradients), 0xff, count * 4);
  CHECK(std::isnan(s.store.gradients()[5]));
}

TEST_CASE("parameters on the device: a store stays where it was placed") {
  Context gpu(Device::Cuda, 1), other(Device::Cuda, 1), cpu(1);
  Store s;
  s.store.place_on(cpu);
  CHECK(s.store.compute(Slab::Values) == s.store.values().data());
  s.store.place_on(gpu);
  s.store.place_on(gpu);
  CHECK(test::error_of([&] { s.store.place_on(other); }) ==
        "parameters that are on a GPU cannot be used on another device");
  CHECK(test::error_of([&] { s.store.place_on(cpu); }) ==
        "parameters that are on a GPU cannot be used on another device");
}

TEST_CASE("parameters on the device: the optimizer keeps the copy that is rounded to bf16") {
  Context gpu(Device::Cuda, 1);
  Store s;
  s.store.place_on(gpu);
  const auto never = [](const float*, void*) { FAIL("rounded weights were packed one by one"); };
  const auto rounded = [&](int index) {
    const std::int64_t count = s.count(index);
    const auto copy = fetch<bf16>(gpu, s.store.packed(index, conv2d::kRoundedKey, 2 * count, never), count);
    for (std::int64_t k = 0; k < count; ++k)
      if (copy[std::size_t(k)].bits != bf16(s.store.value(index)[k]).bits) return false;
    return true;
  };
  CHECK(s.store.rounded() == nullptr);
  CHECK(rounded(0));
  CHECK(rounded(1));

  const std::vector<float> before(s.store.values().begin(), s.store.values().end());
  std::ranges::fill(s.store.gradients(), 1.f);
  copy_async(gpu, s.store.compute(Slab::Gradients), before.data(), s.store.slab_count() * 4);
  Optimizer optimizer(gpu, {.lr = 0.25, .warmup = 0}, 100, s.store);
  optimizer.prepare(1);
  optimizer.update();
  CHECK(rounded(0));
  CHECK(rounded(1));
  CHECK(s.store.value(0)[0] != before[0]);

  s.store.value(0)[0] = 42;
  s.store.values_changed();
  CHECK(rounded(0));
}

namespace {

// A packed copy that counts how often it is made, and a place for what a recording saw of it.
struct CountedCopy {
  CountedCopy(Context& context_, Store& store_, const char* key_)
      : context(context_),
        store(store_),
        key(key_),
        seen(store.count(0) * 4, "what a recording saw", MemoryKind::Device) {}

  const void* get() {
    return store.store.packed(0, key, seen.bytes(), [this](const float* value, void* packed) {
      ++packings;
      copy_async(context, packed, value, seen.bytes());
    });
  }
  void see() { copy_async(context, seen.data(), get(), seen.bytes()); }
  std::vector<float> fetch_seen() { return fetch<float>(context, seen.data(), store.count(0)); }
  std::vector<float> fetch_copy() { return fetch<float>(context, get(), store.count(0)); }
  std::vector<float> values() {
    const float* first = store.store.value(0);
    return {first, first + store.count(0)};
  }

  Context& context;
  Store& store;
  const char* key;
  Buffer seen;
  int packings = 0;
};

void set_gradients(Context& context, ParamStore& store, float value) {
  const std::vector<float> gradients(static_cast<std::size_t>(store.slab_count()), value);
  copy_async(context, store.compute(Slab::Gradients), gradients.data(), store.slab_count() * 4);
  synchronize(context);
}

std::vector<std::uint16_t> rounded_bits(std::span<const float> values) {
  std::vector<std::uint16_t> bits;
  for (const float v : values) bits.push_back(bf16(v).bits);
  return bits;
}

}  // namespace

TEST_CASE("parameters on the device: a recording packs what it reads, once for each state of the values") {
  Context gpu(Device::Cuda, 1);
  Store s;
  s.store.place_on(gpu);
  CountedCopy copy(gpu, s, "plain");
  copy.get();
  copy.get();
  CHECK(copy.packings == 1);
  set_gradients(gpu, s.store, 1);
  Optimizer optimizer(gpu, {.method = OptimizerMethod::Sgd, .lr = 0.25, .warmup = 0, .momentum = 0}, 100,
                      s.store);
  optimizer.prepare(1);
  auto work = CudaGraphExec::record(gpu, [&] {
    copy.see();  // up to date, but will not be at the second replay
    copy.get();
    CHECK(copy.packings == 2);
    optimizer.update();
    copy.get();
    CHECK(copy.packings == 3);
  });
  CHECK(work.operations() == 5);
  const auto start = copy.values();
  CHECK(copy.fetch_copy() == start);
  CHECK(copy.packings == 3);  // nothing has run yet, so the copy is as it was
  for (int replay = 1; replay <= 3; ++replay) {
    const auto before = copy.values();
    work.replay(gpu);
    CHECK(copy.fetch_seen() == before);
    CHECK(copy.values()[0] == before[0] - 0.25f);
    CHECK(copy.fetch_copy() == copy.values());
    CHECK(copy.packings == 3 + replay);
  }
  s.store.value(0)[0] = 42;
  s.store.values_changed();
  work.replay(gpu);
  CHECK(copy.fetch_seen()[0] == 42);
  CHECK(copy.fetch_copy()[0] == 41.75f);
}

TEST_CASE("parameters on the device: the rounded copy is up to date in and after recorded work") {
  for (const OptimizerMethod method : {OptimizerMethod::Adam, OptimizerMethod::Sgd}) {
    CAPTURE(static_cast<int>(method));
    Context gpu(Device::Cuda, 1);
    Store s;
    s.store.place_on(gpu);
    const auto never = [](const float*, void*) { FAIL("rounded weights were packed one by one"); };
    const std::int64_t count = s.count(0);
    const auto copy = [&] { return s.store.packed(0, conv2d::kRoundedKey, 2 * count, never); };
    const auto bits_at = [&](const void* place) { return fetch<std::uint16_t>(gpu, place, count); };
    const auto value_bits = [&] { return rounded_bits({s.store.value(0), std::size_t(count)}); };
    const Buffer seen(2 * count, "what a recording saw", MemoryKind::Device);
    copy();
    set_gradients(gpu, s.store, 1);
    Optimizer optimizer(gpu, {.method = method, .lr = 0.25, .warmup = 0}, 100, s.store);
    optimizer.prepare(1);
    auto work = CudaGraphExec::record(gpu, [&] {
      copy_async(gpu, seen.data(), copy(), seen.bytes());
      optimizer.update();
    });
    // Adam writes the copy itself; after SGD it takes a launch.
    CHECK(work.operations() == (method == OptimizerMethod::Adam ? 3 : 4));
    for (int step = 1; step <= 3; ++step) {
      const auto before = value_bits();
      CHECK(bits_at(copy()) == before);
      optimizer.prepare(step);
      work.replay(gpu);
      CHECK(bits_at(seen.data()) == before);
      CHECK(bits_at(copy()) == value_bits());
      CHECK(value_bits() != before);
    }
    s.store.value(0)[0] = 42;
    s.store.values_changed();
    work.replay(gpu);
    CHECK(bits_at(seen.data())[0] == bf16(42.f).bits);
    CHECK(bits_at(copy()) == value_bits());
  }
}

TEST_CASE("parameters on the device: who asks for the rounded copy after a recording gets the current one") {
  Context gpu(Device::Cuda, 1);
  Store s;
  s.store.place_on(gpu);
  set_gradients(gpu, s.store, 1);
  Optimizer optimizer(gpu, {.lr = 0.25, .warmup = 0}, 100, s.store);
  optimizer.prepare(1);
  auto work = CudaGraphExec::record(gpu, [&] { optimizer.update(); });  // without a copy to write
  CountedCopy copy(gpu, s, conv2d::kRoundedKey);
  for (int step = 1; step <= 3; ++step) {
    CHECK(copy.fetch_copy() == copy.values());
    CHECK(copy.packings == step);
    work.replay(gpu);
  }
}

TEST_CASE(
    "parameters on the device: recordings take a frozen network's packed copies, which then must stay") {
  Context gpu(Device::Cuda, 1);
  Store s(ParamStore::Kind::Frozen);
  s.store.place_on(gpu);
  CountedCopy copy(gpu, s, "plain");
  copy.get();
  s.store.values_changed();  // nothing holds the copy yet
  auto packing = CudaGraphExec::record(gpu, [&] { copy.see(); });
  CHECK(packing.operations() == 2);
  s.store.values_changed();
  copy.get();
  CHECK(copy.packings == 3);
  auto work = CudaGraphExec::record(gpu, [&] { copy.see(); });
  CHECK(work.operations() == 1);
  work.replay(gpu);
  CHECK(copy.fetch_seen() == copy.values());
  const char* const kRefusal =
      "the parameters of a frozen network were changed after work that uses packed copies of them was "
      "recorded";
  CHECK(test::error_of([&] { s.store.values_changed(); }) == kRefusal);
  CHECK(test::error_of([&] { s.store.values_computed(); }) == kRefusal);
}

TEST_CASE("parameters on the device: the host cannot change them inside a recording") {
  Context gpu(Device::Cuda, 1);
  Store s;
  s.store.place_on(gpu);
  CHECK(test::error_of([&] { CudaGraphExec::record(gpu, [&] { s.store.values_changed(); }); }) ==
        "the host changed parameters in work that is recorded, where it has no effect");
}

}  // namespace chiaro
