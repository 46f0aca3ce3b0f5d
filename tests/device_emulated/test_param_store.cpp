// Parameters on the device: two views of the same numbers, and the copy rounded to bf16.
#include <doctest/doctest.h>

#include <algorithm>

#include "apps/training/optimizer.hpp"
#include "engine/param_store.hpp"
#include "kernels/conv2d/conv2d.hpp"
#include "tests/support/error_of.hpp"

namespace chiaro {

namespace {

using Slab = ParamStore::Slab;

struct Store {
  ParamStore store{ParamStore::Kind::Trainable};
  Store() {
    store.add("weight", {2, 1, 1, 9});
    store.add("bias", {1, 1, 1, 2});
    store.allocate();
    for (int i = 0; i < 2; ++i)
      for (std::int64_t k = 0; k < store.entries()[i].shape.count(); ++k)
        store.value(i)[k] = 1.001f + float(i) + float(k);
    store.values_changed();
  }
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

TEST_CASE("parameters on the device: the optimiser keeps the copy that is rounded to bf16") {
  Context gpu(Device::Cuda, 1);
  Store s;
  s.store.place_on(gpu);
  const auto never = [](const float*, void*) { FAIL("rounded weights were packed one by one"); };
  const auto rounded = [&](int index) {
    const std::int64_t count = s.store.entries()[index].shape.count();
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
  Optimizer optimizer(gpu, {.lr = 0.25}, s.store);
  optimizer.prepare(1);
  optimizer.update();
  CHECK(rounded(0));
  CHECK(rounded(1));
  CHECK(s.store.value(0)[0] != before[0]);

  s.store.value(0)[0] = 42;
  s.store.values_changed();
  CHECK(rounded(0));
}

}  // namespace chiaro
