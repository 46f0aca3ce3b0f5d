#include "weights_import/files/mat_stream.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kPieceBytes = 32 << 10;

class FileStream : public MatStream {
 public:
  FileStream(const InputFile& file, std::int64_t begin, std::int64_t end) : file_(file), end_(end) {
    file.check_range(begin, end - begin, "a variable");
    position_ = begin;
  }

  void read(std::span<std::byte> out) override {
    check(std::ssize(out));
    file_.read(position_, out, "a variable");
    position_ += std::ssize(out);
  }
  void skip(std::int64_t bytes) override {
    check(bytes);
    position_ += bytes;
  }
  void finish() override { position_ = end_; }

 private:
  void check(std::int64_t bytes) const {
    if (bytes >= 0 && bytes <= end_ - position_) return;
    throw Error(
        "{}: a variable ends at byte {}, but its contents would need {} bytes from byte {} on: the "
        "file is damaged; download it again",
        file_.name(), end_, bytes, position_);
  }

  const InputFile& file_;
  std::int64_t end_;
};

class InflatingStream : public MatStream {
 public:
  InflatingStream(const InputFile& file, std::int64_t begin, std::int64_t end, std::int64_t most)
      : file_(file), next_(begin), end_(end), most_(most), piece_(kPieceBytes), scratch_(kPieceBytes) {
    file.check_range(begin, end - begin, "a compressed variable");
    if (inflateInit(&zlib_) != Z_OK) throw Error("{}: zlib cannot be used", file.name());
  }
  InflatingStream(const InflatingStream&) = delete;
  InflatingStream& operator=(const InflatingStream&) = delete;
  ~InflatingStream() override { inflateEnd(&zlib_); }

  void read(std::span<std::byte> out) override {
    if (std::ssize(out) > most_ - position_) {
      throw Error(
          "{}: a compressed variable grows beyond {} bytes, more than a file of {} bytes should hold: it "
          "is damaged or not a file of weights",
          file_.name(), most_, file_.bytes());
    }
    while (!out.empty()) {
      const std::size_t got = inflate_some(out);
      if (got == 0) {
        throw Error(
            "{}: the compressed data of a variable end after {} bytes, too early: the file is cut short "
            "or damaged; download it again",
            file_.name(), position_);
      }
      out = out.subspan(got);
    }
  }
  void skip(std::int64_t bytes) override {
    while (bytes > 0) {
      const std::int64_t piece = std::min(bytes, kPieceBytes);
      read(std::span(scratch_).first(static_cast<std::size_t>(piece)));
      bytes -= piece;
    }
  }
  void finish() override {
    while (!ended_) {
      if (position_ > most_) read(scratch_);  // throws
      inflate_some(scratch_);
    }
  }

 private:
  // Fills a beginning of out; 0 bytes only at the end of the compressed data.
  std::size_t inflate_some(std::span<std::byte> out) {
    constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
    const std::size_t wanted = std::min(out.size(), kMost);
    zlib_.next_out = reinterpret_cast<Bytef*>(out.data());
    zlib_.avail_out = static_cast<uInt>(wanted);
    while (!ended_ && zlib_.avail_out == wanted) {
      if (zlib_.avail_in == 0) refill();
      const int status = inflate(&zlib_, Z_NO_FLUSH);
      ended_ = status == Z_STREAM_END;
      const bool needs_input = status == Z_BUF_ERROR && zlib_.avail_in == 0;
      if (!ended_ && status != Z_OK && !needs_input) {
        throw Error(
            "{}: the compressed data of a variable are damaged near byte {} of the file; download it "
            "again",
            file_.name(), next_ - zlib_.avail_in);
      }
    }
    const std::size_t got = wanted - zlib_.avail_out;
    position_ += static_cast<std::int64_t>(got);
    return got;
  }
  void refill() {
    const std::int64_t bytes = std::min(kPieceBytes, end_ - next_);
    if (bytes <= 0) {
      throw Error(
          "{}: the compressed data of a variable are incomplete after byte {} of the file: it is cut "
          "short or damaged; download it again",
          file_.name(), end_);
    }
    file_.read(next_, std::span(piece_).first(static_cast<std::size_t>(bytes)), "a compressed variable");
    next_ += bytes;
    zlib_.next_in = reinterpret_cast<Bytef*>(piece_.data());
    zlib_.avail_in = static_cast<uInt>(bytes);
  }

  const InputFile& file_;
  std::int64_t next_, end_, most_;
  std::vector<std::byte> piece_, scratch_;
  z_stream zlib_{};
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<MatStream> file_stream(const InputFile& file, std::int64_t begin, std::int64_t end) {
  return std::make_unique<FileStream>(file, begin, end);
}

std::unique_ptr<MatStream> inflating_stream(const InputFile& file, std::int64_t begin, std::int64_t end,
                                            std::int64_t most) {
  return std::make_unique<InflatingStream>(file, begin, end, most);
}

}  // namespace chiaro
