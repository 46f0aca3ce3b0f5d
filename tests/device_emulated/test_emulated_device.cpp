// The emulated device itself: it must be as strict as a GPU, or stricter.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/buffer.hpp"
#include "kernels/conv2d/conv2d.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/elementwise/elementwise.hpp"
#include "tests/device_emulated/both_devices.hpp"
#include "tests/simt/device_memory.hpp"
#include "tests/simt/runtime.hpp"
#include "tests/simt/stream.hpp"
#include "tests/support/compare.hpp"

namespace chiaro::both_devices {

using test::error_of;

namespace {

constexpr Shape kPictureShape{1, 1, 1, 4};

Buffer device_values(Context& context, const std::vector<float>& values) {
  Buffer buffer(static_cast<std::int64_t>(values.size() * 4), "values", MemoryKind::Device);
  copy_async(context, buffer.data(), values.data(), buffer.bytes());
  return buffer;
}

// What a child process that does this writes to its standard error, and how it ends.
template <class Body>
std::pair<std::string, int> in_child(Body&& body) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    signal(SIGSEGV, SIG_DFL);
    body();
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return {text, status};
}

}  // namespace

TEST_CASE("emulated device: contexts of CUDA can be had, and say what they are") {
  CHECK(device_available(Device::Cuda).available);
  Context context(Device::Cuda, 1);
  CHECK(context.description() == "emulated GPU");
  CHECK(conv2d::Plan::make(context, {.x = {1, 4, 4, 4}, .k = 4, .r = 3, .s = 3})->implementation() ==
        std::string("implicit_gemm"));
}

TEST_CASE("emulated device: the host must not touch device memory") {
  const Buffer memory(1000, "device memory", MemoryKind::Device);
  for (const bool write : {false, true}) {
    const auto [text, status] = in_child([&] {
      Context context(Device::Cuda, 1);
      volatile std::byte& first = *memory.data();
      if (write)
        first = std::byte{1};
      else
        (void)std::byte(first);
    });
    CHECK(test::contains(text, "the host touches device memory"));
    CHECK_FALSE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  }
}

TEST_CASE("emulated device: nothing runs before it is waited for") {
  Context context(Device::Cuda, 1);
  const Buffer x = device_values(context, {-1, 2, -3, 4});
  const Buffer y(16, "y", MemoryKind::Device), host(16, "result", MemoryKind::Pinned);
  auto* result = host.as<float>();
  std::fill_n(result, 4, 7.0f);
  relu_forward(context, {x.data(), DType::F32, kPictureShape}, {y.data(), DType::F32, kPictureShape});
  copy_async(context, result, y.data(), 16);
  CHECK(std::vector<float>(result, result + 4) == std::vector<float>{7, 7, 7, 7});
  synchronize(context);
  CHECK(std::vector<float>(result, result + 4) == std::vector<float>{0, 2, 0, 4});
}

TEST_CASE("emulated device: memory is aligned, begins as NaN, and is given back") {
  Context context(Device::Cuda, 1);
  const auto before = simt::device_memory_in_use();
  {
    const Buffer a(100, "a", MemoryKind::Device), b(5000, "b", MemoryKind::Device);
    CHECK(reinterpret_cast<std::uintptr_t>(b.data()) % 256 == 0);
    CHECK(simt::device_memory_in_use() == before + 5100);
    float first = 0;
    copy_async(context, &first, b.data(), 4);
    CHECK(std::isnan(first));
  }
  CHECK(simt::device_memory_in_use() == before);
  CHECK(error_of([] {
          Buffer(std::int64_t{1} << 50, "too much", MemoryKind::Device);
        }).find("not enough GPU memory for too much") == 0);
}

TEST_CASE("emulated device: errors of kernels surface where they are waited for, once") {
  Context context(Device::Cuda, 1);
  bool ran = false;
  CudaStream stream = cuda::stream_of(context);
  stream->submit({"broken", [] { throw simt::Error("a barrier is missing"); }});
  stream->submit({"behind it", [&] { ran = true; }});
  CHECK(error_of([&] { synchronize(context); }) ==
        "CUDA: cannot finish the queued work: a barrier is missing");
  CHECK(error_of([&] { synchronize(context); }) == "");
  CHECK_FALSE(ran);
}

}  // namespace chiaro::both_devices
