#include "engine/io/file_kind.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>
#include <string_view>

namespace chiaro {
namespace {

using namespace std::string_view_literals;

// Enough for the HDF5 signature behind the 512-byte user block that MATLAB 7.3 files begin with.
constexpr std::size_t kHead = 520;
constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n";

bool is_text(std::string_view head) {
  return std::none_of(head.begin(), head.end(), [](unsigned char c) { return c < 32 && !std::isspace(c); });
}

std::string lower_without_leading_space(std::string_view head) {
  const auto first = std::find_if(head.begin(), head.end(), [](unsigned char c) { return !std::isspace(c); });
  std::string text(first, head.end());
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// A length of less than 16 MB in eight bytes, then the JSON header. The length comes first and may look like
// the beginning of anything, so this is asked first.
bool is_safetensors(std::string_view head) {
  return head.size() > 8 && head[8] == '{' && head.substr(3, 5) == std::string_view("\0\0\0\0\0", 5);
}

FileKind kind_of(std::string_view head) {
  if (head.empty()) return FileKind::Empty;
  if (is_safetensors(head)) return FileKind::Safetensors;
  if (head.starts_with(kHdf5Signature)) return FileKind::Hdf5;
  if (head.size() >= kHead && head.substr(512, 8) == kHdf5Signature)
    return head.starts_with("MATLAB 7.3") ? FileKind::Matlab73 : FileKind::Hdf5;
  if (head.starts_with("PK\x03\x04")) return FileKind::Zip;
  if (head.starts_with("\x1f\x8b")) return FileKind::Gzip;
  if (head.starts_with("\x93NUMPY")) return FileKind::Numpy;
  if (head.starts_with("MATLAB 5.0 MAT-file")) return FileKind::Matlab;
  if (head.starts_with("\xff\xd8\xff")) return FileKind::Jpeg;
  if (head.starts_with("\x89PNG\r\n")) return FileKind::Png;
  if (head.size() > 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5) return FileKind::Pickle;
  if (head.starts_with("version https://git-lfs")) return FileKind::LfsPointer;
  if (!is_text(head)) return FileKind::Binary;
  const std::string text = lower_without_leading_space(head);
  if (text.starts_with("<!doctype") || text.starts_with("<html") || text.starts_with("<head")) {
    return FileKind::Html;
  }
  return FileKind::Text;
}

}  // namespace

FileKind file_kind(const InputFile& file) {
  std::array<char, kHead> head;
  const auto size = static_cast<std::size_t>(std::min<std::int64_t>(file.bytes(), kHead));
  file.read(0, std::as_writable_bytes(std::span(head).first(size)), "the beginning");
  return kind_of({head.data(), size});
}

std::string describe(FileKind kind) {
  switch (kind) {
    case FileKind::Hdf5:
      return "an HDF5 file";
    case FileKind::Safetensors:
      return "a safetensors file";
    case FileKind::Zip:
      return "a zip archive (as .npz and PyTorch's .pth files are)";
    case FileKind::Gzip:
      return "a gzip archive: unpack it first";
    case FileKind::Pickle:
      return "a Python pickle (as older PyTorch .pth files are)";
    case FileKind::Numpy:
      return "a NumPy .npy file";
    case FileKind::Matlab:
      return "a MATLAB 5 .mat file";
    case FileKind::Matlab73:
      return "a MATLAB 7.3 .mat file";
    case FileKind::Jpeg:
      return "a JPEG picture";
    case FileKind::Png:
      return "a PNG picture";
    case FileKind::Html:
      return "a web page (HTML): the download went wrong";
    case FileKind::LfsPointer:
      return "a Git LFS pointer, not the file itself: run 'git lfs pull'";
    case FileKind::Text:
      return "a text file";
    case FileKind::Empty:
      return "empty";
    case FileKind::Binary:
      break;
  }
  return "a binary file of another format";
}

}  // namespace chiaro
