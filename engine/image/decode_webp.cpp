// WebP through libwebp.
#include <memory>
#include <utility>

#include <webp/decode.h>
#include <webp/demux.h>

#include "engine/image/decoders.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
using Demuxer = std::unique_ptr<WebPDemuxer, DeleteDemuxer>;

// Also of a file that was cut off, if its header is there.
Demuxer open_webp(std::span<const std::uint8_t> file, const std::string& name) {
  const WebPData data{file.data(), file.size()};
  Demuxer demuxer(WebPDemuxPartial(&data, nullptr));
  if (!demuxer) {
    throw Error("{}: damaged or unusual WebP ({} bytes); fetch it again or save it as a plain JPEG or PNG",
                name, file.size());
  }
  return demuxer;
}

// The data of a chunk of metadata, which lie in the file; empty if there is none.
std::span<const std::uint8_t> chunk_of(const Demuxer& demuxer, const char* type) {
  WebPChunkIterator chunk;
  if (!WebPDemuxGetChunk(demuxer.get(), type, 1, &chunk)) return {};
  const std::span<const std::uint8_t> bytes(chunk.chunk.bytes, chunk.chunk.size);
  WebPDemuxReleaseChunkIterator(&chunk);
  return bytes;
}

}  // namespace

FormatHeader read_webp_header(std::span<const std::uint8_t> file, const std::string& name) {
  const Demuxer demuxer = open_webp(file, name);
  return {.format = ImageFormat::Webp,
          .height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT),
          .width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH),
          .exif = chunk_of(demuxer, "EXIF")};
}

StoredPicture decode_webp(std::span<const std::uint8_t> file, const std::string& name, const DecodeOptions&) {
  const Demuxer demuxer = open_webp(file, name);
  const std::uint32_t flags = WebPDemuxGetI(demuxer.get(), WEBP_FF_FORMAT_FLAGS);
  if (flags & ANIMATION_FLAG)
    throw Error("{}: an animated WebP; save one picture of it as JPEG or PNG", name);
  WebPIterator frame;
  if (!WebPDemuxGetFrame(demuxer.get(), 1, &frame)) throw_cut_off(name, ImageFormat::Webp, file.size());
  const WebPData data = frame.fragment;
  const bool complete = frame.complete != 0, alpha = frame.has_alpha != 0;
  WebPDemuxReleaseIterator(&frame);
  if (!complete) throw_cut_off(name, ImageFormat::Webp, file.size());

  int width = 0, height = 0;
  StoredPicture picture;
  if (WebPGetInfo(data.bytes, data.size, &width, &height)) {
    Image& image = picture.pixels;
    image = Image(height, width, alpha ? 4 : 3);
    const auto decode = alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
    if (decode(data.bytes, data.size, image.pixels.data(), image.pixels.size(), width * image.channels)) {
      const auto profile = chunk_of(demuxer, "ICCP");
      picture.profile.assign(profile.begin(), profile.end());
      return picture;
    }
  }
  throw Error("{}: damaged WebP; fetch it again or save it as a plain JPEG or PNG", name);
}

}  // namespace chiaro
