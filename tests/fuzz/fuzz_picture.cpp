// The decoders of pictures on arbitrary bytes, by their content: a picture or an Error, nothing else.
#include "engine/image/image.hpp"
#include "kernels/base/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span file(data, size);
  try {
    const chiaro::ImageInfo info = chiaro::probe_image(file, "input");
    if (info.height * info.width > 1 << 20) return 0;  // only slow
    chiaro::decode_image(file, "input", {.short_side = 16});
    chiaro::decode_gray(file, "input");
  } catch (const chiaro::Error&) {
  }
  return 0;
}
