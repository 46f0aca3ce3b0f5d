#include "engine/param_store.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/param_io.hpp"
#include "tests/support/compare.hpp"

using namespace chiaro;
using test::error_of;
using Kind = ParamStore::Kind;

namespace {

// Two weights and a bias, none a multiple of 64 bytes, with values 0, 1, 2, ... in each.
void fill_store(ParamStore& store) {
  store.add("a.weight", {2, 3, 3, 1});
  store.add("a.bias", {1, 1, 1, 5});
  store.add("b.weight", {1, 1, 1, 17});
  store.allocate();
  for (int i = 0; i < static_cast<int>(store.entries().size()); ++i)
    for (std::int64_t j = 0; j < store.entries()[static_cast<std::size_t>(i)].shape.count(); ++j)
      store.value(i)[j] = static_cast<float>(j);
  store.values_changed();
}

bool all_zero(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return v == 0; });
}

}  // namespace

TEST_CASE("param_store: parameters lie on 64-byte boundaries in declaration order") {
  ParamStore store(Kind::Trainable);
  fill_store(store);
  CHECK(store.parameter_count() == 18 + 5 + 17);
  CHECK(store.slab_count() == 32 + 16 + 32);
  std::int64_t end = 0;
  for (const auto& entry : store.entries()) {
    CHECK(entry.offset * 4 % 64 == 0);
    CHECK(entry.offset >= end);
    end = entry.offset + entry.shape.count();
  }
  for (int i = 0; i < 3; ++i) {
    CHECK(reinterpret_cast<std::uintptr_t>(store.value(i)) % 64 == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(store.gradient(i)) % 64 == 0);
    CHECK(store.value(i) - store.values().data() == store.gradient(i) - store.gradients().data());
  }
  CHECK(store.find("a.bias")->shape == Shape{1, 1, 1, 5});
  CHECK(store.find("c") == nullptr);
}

TEST_CASE("param_store: slabs start at zero, gaps included") {
  ParamStore store(Kind::Trainable);
  store.add("a", {1, 1, 1, 3});
  store.allocate();
  for (const auto slab : {store.values(), store.gradients(), store.first_moments(), store.second_moments()}) {
    CHECK(slab.size() == 16);
    CHECK(all_zero(slab));
  }
}

TEST_CASE("param_store: a name declared again is the same parameter") {
  ParamStore store(Kind::Frozen);
  const int first = store.add("w", {8, 3, 3, 4});
  CHECK(store.add("w", {8, 3, 3, 4}) == first);
  CHECK(store.entries().size() == 1);
  CHECK(error_of([&] {
          store.add("w", {8, 3, 3, 5});
        }) == "parameter 'w' declared with shapes (8,3,3,4) and (8,3,3,5)");
  CHECK(error_of([&] { store.add("e", {8, 0, 3, 5}); }) == "parameter 'e' has the empty shape (8,0,3,5)");
  store.allocate();
  CHECK(store.add("w", {8, 3, 3, 4}) == first);
  CHECK(error_of([&] {
          store.add("late", {1, 1, 1, 1});
        }) == "parameter 'late' declared after the store was allocated");
  store.value(first)[0] = 3;
  store.allocate();  // again: nothing happens
  CHECK(store.value(first)[0] == 3);
}

TEST_CASE("param_store: packed copies are made once per key and renewed when values change") {
  ParamStore store(Kind::Frozen);
  fill_store(store);
  int packings = 0;
  const auto pack = [&](const float* value, void* packed) {
    ++packings;
    static_cast<float*>(packed)[0] = 2 * value[1];
  };
  const auto* copy = static_cast<const float*>(store.packed(0, "double", 4, pack));
  CHECK(copy[0] == 2);
  CHECK(store.packed(0, "double", 4, pack) == copy);
  CHECK(packings == 1);
  store.packed(1, "double", 4, pack);
  store.packed(0, "other", 8, pack);
  CHECK(packings == 3);
  CHECK(store.packed_bytes() == 4 + 4 + 8);

  store.value(0)[1] = 5;
  CHECK(static_cast<const float*>(store.packed(0, "double", 4, pack))[0] == 2);  // nobody said so
  store.values_changed();
  CHECK(store.packed(0, "double", 4, pack) == copy);
  CHECK(copy[0] == 10);
  CHECK(packings == 4);
  CHECK(error_of([&] { store.packed(0, "double", 8, pack); }) ==
        "packed copy 'double' of a.weight has 4 bytes, 8 asked for");
}

TEST_CASE("param_io: parameters survive a list of tensors; vectors lose their extents of 1") {
  ParamStore store(Kind::Frozen), copy(Kind::Frozen);
  fill_store(store);
  const auto tensors = save_parameters(store);
  REQUIRE(tensors.size() == 3);
  CHECK(tensors[0].name == "a.weight");
  CHECK(tensors[0].shape == std::vector<std::int64_t>{2, 3, 3, 1});
  CHECK(tensors[1].shape == std::vector<std::int64_t>{5});
  CHECK(tensors[1].values == std::vector<float>{0, 1, 2, 3, 4});

  fill_store(copy);
  std::fill(copy.values().begin(), copy.values().end(), 0.f);
  auto shuffled = tensors;
  std::reverse(shuffled.begin(), shuffled.end());
  shuffled.push_back({"unknown", {1}, {9}});
  load_parameters(copy, shuffled, "w.h5");
  CHECK(std::equal(store.values().begin(), store.values().end(), copy.values().begin()));
}

TEST_CASE("param_io: a slab is saved under the names of the parameters") {
  ParamStore store(Kind::Trainable);
  fill_store(store);
  store.gradient(1)[2] = 42;
  const auto tensors = save_slab(store, store.gradients());
  CHECK(tensors[1].name == "a.bias");
  CHECK(tensors[1].values == std::vector<float>{0, 0, 42, 0, 0});
}

TEST_CASE("param_io: missing tensors and other shapes are refused") {
  ParamStore store(Kind::Frozen);
  fill_store(store);
  auto tensors = save_parameters(store);
  tensors[1].shape = {1, 5};
  CHECK(error_of([&] { load_parameters(store, tensors, "w.h5"); }) ==
        "w.h5: tensor 'a.bias' has shape (1,5), expected (5)");
  tensors[1].name = "a.bais";
  CHECK(error_of([&] { load_parameters(store, tensors, "w.h5"); }) == "w.h5: tensor 'a.bias' is missing");
}

TEST_CASE("param_io: loading renews packed copies") {
  ParamStore store(Kind::Frozen);
  fill_store(store);
  auto tensors = save_parameters(store);
  const auto pack = [](const float* value, void* packed) { static_cast<float*>(packed)[0] = value[0]; };
  CHECK(static_cast<const float*>(store.packed(1, "first", 4, pack))[0] == 0);
  tensors[1].values[0] = 7;
  load_parameters(store, tensors, "w.h5");
  CHECK(static_cast<const float*>(store.packed(1, "first", 4, pack))[0] == 7);
}
