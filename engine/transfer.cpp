#include "engine/transfer.hpp"

#include <cstring>

#include "kernels/base/memory.hpp"
#include "kernels/elementwise/image_convert.hpp"

namespace chiaro {

namespace {

bool on_gpu(const Context& context) {
  return compute_memory(context) != MemoryKind::Host;
}

void check_count(std::size_t count, const Shape& shape) {
  require(static_cast<std::int64_t>(count) == shape.count(), "{} values for a tensor {}", count,
          to_string(shape));
}

}  // namespace

void write_tensor(Context& context, TensorView to, std::span<const float> values) {
  check_count(values.size(), to.shape);
  copy_async(context, to.as<float>(), values.data(), to.bytes());
  synchronize(context);
}

void write_picture(Context& context, TensorView to, std::span<const std::uint8_t> rgb) {
  PictureFeed feed(context, to);
  feed.stage(rgb);
  feed.send();
  synchronize(context);
}

std::vector<float> read_tensor(Context& context, ConstTensorView from) {
  return visit_dtype(from.dtype, [&](auto zero) {
    std::vector<decltype(zero)> values(static_cast<std::size_t>(from.shape.count()));
    copy_async(context, values.data(), from.data, from.bytes());
    synchronize(context);
    return std::vector<float>(values.begin(), values.end());
  });
}

PictureFeed::PictureFeed(Context& context, TensorView to) : context_(context), to_(to) {
  if (!on_gpu(context)) return;
  pinned_ = Buffer(to.shape.count(), "pictures on their way to the GPU", MemoryKind::Pinned);
  on_device_ = Buffer(to.shape.count(), "pictures as bytes", MemoryKind::Device);
}

void PictureFeed::stage(std::span<const std::uint8_t> rgb) {
  check_count(rgb.size(), to_.shape);
  staged_ = rgb.data();
  if (pinned_) std::memcpy(pinned_.data(), rgb.data(), rgb.size());
}

void PictureFeed::send() {
  if (!pinned_) return image_convert::to_tensor(context_, staged_, to_);
  copy_async(context_, on_device_.data(), pinned_.data(), pinned_.bytes());
  image_convert::to_tensor(context_, on_device_.as<std::uint8_t>(), to_);
}

TensorFeed::TensorFeed(Context& context, TensorView to) : context_(context), to_(to) {
  if (on_gpu(context)) pinned_ = Buffer(to.bytes(), "values on their way to the GPU", MemoryKind::Pinned);
}

void TensorFeed::stage(std::span<const float> values) {
  check_count(values.size(), to_.shape);
  staged_ = values.data();
  if (pinned_) std::memcpy(pinned_.data(), values.data(), values.size_bytes());
}

void TensorFeed::send() {
  copy_async(context_, to_.as<float>(), pinned_ ? pinned_.as<float>() : staged_, to_.bytes());
}

PictureSink::PictureSink(Context& context, ConstTensorView from) : context_(context), from_(from) {
  bytes_ = Buffer(from.shape.count(), "picture", on_gpu(context) ? MemoryKind::Pinned : MemoryKind::Host);
  if (on_gpu(context)) on_device_ = Buffer(from.shape.count(), "picture as bytes", MemoryKind::Device);
}

void PictureSink::receive() {
  if (!on_device_) return image_convert::to_bytes(context_, from_, bytes_.as<std::uint8_t>());
  image_convert::to_bytes(context_, from_, on_device_.as<std::uint8_t>());
  copy_async(context_, bytes_.data(), on_device_.data(), bytes_.bytes());
}

void PictureSink::bytes(std::span<std::uint8_t> rgb) {
  check_count(rgb.size(), from_.shape);
  synchronize(context_);
  std::memcpy(rgb.data(), bytes_.data(), rgb.size());
}

}  // namespace chiaro
