#include "engine/buffer.hpp"
#include "kernels/base/cuda_graph_exec.hpp"
#include "kernels/elementwise/elementwise.hpp"
#include "kernels/losses/losses.hpp"
#include "kernels/optimizer/adam.hpp"
#include "tests/device_emulated/both_devices.hpp"
#include "tests/support/compare.hpp"

namespace chiaro::both_devices {

using test::error_of;

namespace {

constexpr Shape kShape{1, 2, 3, 2};

// A tensor on the device with its twin in pinned memory of the host.
struct Twin {
  explicit Twin(Context& context_)
      : context(context_),
        host(kShape.count() * 4, "a test's tensor", MemoryKind::Pinned),
        device(kShape.count() * 4, "a test's tensor", MemoryKind::Device) {}

  void fill(float value) { std::fill_n(host.as<float>(), kShape.count(), value); }
  void send() { copy_async(context, device.data(), host.data(), host.bytes()); }
  void fetch() { copy_async(context, host.data(), device.data(), host.bytes()); }
  TensorView view() const { return {device.data(), DType::F32, kShape}; }
  bool all(float value) const {
    const float* values = host.as<float>();
    return std::all_of(values, values + kShape.count(), [=](float v) { return v == value; });
  }

  Context& context;
  Buffer host, device;
};

}  // namespace

TEST_CASE("captured work: nothing runs while it is recorded, replays see memory as it is then") {
  Context context(Device::Cuda, 1);
  Twin x(context), y(context);
  const Buffer vectors(2 * 8, "mean and scale", MemoryKind::Device);
  const float values[] = {1, 1, 2, 2};  // mean, scale
  copy_async(context, vectors.data(), values, sizeof values);
  x.fill(3);
  y.fill(-1);
  y.send();
  synchronize(context);
  auto work = CudaGraphExec::record(context, [&] {
    x.send();
    channel_affine_forward(context, x.view(), vectors.as<float>(), vectors.as<float>() + 2, y.view());
    y.fetch();
  });
  CHECK(work.operations() == 3);
  synchronize(context);
  CHECK(y.all(-1));
  work.replay(context);
  synchronize(context);
  CHECK(y.all(4));
  x.fill(10);
  work.replay(context);
  synchronize(context);
  CHECK(y.all(18));
}

TEST_CASE("captured work: arguments stay what they were, values that memory holds do not") {
  Context context(Device::Cuda, 1);
  Twin x(context), zero(context), loss(context);
  const Buffer workspace(losses::mse_workspace_bytes(context, kShape), "workspace", MemoryKind::Device);
  x.fill(1);
  zero.fill(0);
  x.send();
  zero.send();
  double scale = 2;
  auto work = CudaGraphExec::record(context, [&] {
    losses::mse(context, x.view(), zero.view(),
                {.value = loss.device.as<float>(), .scale = scale, .workspace = workspace.data()});
  });
  CHECK(work.operations() == 2);
  const auto replayed = [&] {
    work.replay(context);
    loss.fetch();
    synchronize(context);
    return loss.host.as<float>()[0];
  };
  scale = 100;
  CHECK(replayed() == 24);
  x.fill(3);
  x.send();
  CHECK(replayed() == 9 * 24);
}

TEST_CASE("captured work: an optimizer's step replayed with the factors of each step") {
  constexpr int kCount = 20, kSteps = 3;
  const adam::Hyper hyper{.lr = 0.1};
  check_same(2e-6, [&](Context& context, Arrays& a) {
    const float* g = a.input(normal_values<float>(kCount, 1));
    auto* p = a.changed(normal_values<float>(kCount, 2));
    auto* m = a.changed(std::vector<float>(kCount));
    auto* v = a.changed(std::vector<float>(kCount));
    if (context.device() == Device::Cpu) {
      for (int t = 1; t <= kSteps; ++t) adam::step(context, hyper, t, kCount, g, p, m, v);
      return;
    }
    auto* factors = a.input(std::vector{adam::factors(hyper, 1)});
    auto work = CudaGraphExec::record(context, [&] { adam::step(context, factors, kCount, g, p, m, v); });
    for (int t = 1; t <= kSteps; ++t) {
      const auto now = adam::factors(hyper, t);
      copy_async(context, factors, &now, sizeof now);
      work.replay(context);
    }
    synchronize(context);
  });
}

TEST_CASE("captured work: each recording has a number, and notes for the host that every replay reads") {
  Context context(Device::Cuda, 1), other(Device::Cuda, 1), cpu(1);
  Twin x(context);
  CHECK(recording_number(context) == 0);
  std::vector<int> notes;
  std::uint64_t first = 0, second = 0;
  const auto record = [&](std::uint64_t& number, int note) {
    return CudaGraphExec::record(context, [&, note] {
      number = recording_number(Context(context));
      CHECK(recording_number(other) == 0);
      CHECK(recording_number(cpu) == 0);
      x.send();
      note_at_replays([&notes, note] { notes.push_back(note); });
      note_at_replays([&notes, note] { notes.push_back(-note); });
    });
  };
  auto one = record(first, 1), two = record(second, 2);
  CHECK(recording_number(context) == 0);
  CHECK(first != 0);
  CHECK(second != 0);
  CHECK(first != second);
  CHECK(notes.empty());
  two.replay(context);
  one.replay(context);
  two.replay(context);
  CHECK(notes == std::vector{2, -2, 1, -1, 2, -2});
  CHECK(error_of([] { note_at_replays([] {}); }) == "a note for replays was made while nothing is recorded");
  CHECK(error_of([&] { CudaGraphExec::record(context, [&] { CudaGraphExec::record(context, [] {}); }); }) ==
        "work cannot be recorded while other work is");
  CHECK(recording_number(context) == 0);
}

TEST_CASE("captured work: what cannot be recorded is an error, and the stream goes on") {
  Context context(Device::Cuda, 1), cpu(1);
  Twin x(context);
  CHECK(error_of([&] { CudaGraphExec::record(cpu, [] {}); }) == "work is recorded for GPUs only");
  CHECK_FALSE(error_of([&] { CudaGraphExec::record(context, [&] { synchronize(context); }); }).empty());
  CHECK_FALSE(error_of([&] {
                CudaGraphExec::record(context, [&] { Buffer(64, "too late", MemoryKind::Device); });
              }).empty());
  CHECK(error_of([&] { CudaGraphExec::record(context, [] { throw Error("of the work"); }); }) ==
        "of the work");
  x.fill(5);
  x.send();
  x.fill(0);  // too early: the copy has not been waited for
  x.fetch();
  synchronize(context);
  CHECK((x.all(5) || x.all(0)));
}

}  // namespace chiaro::both_devices
