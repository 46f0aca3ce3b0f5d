#include "weights_import/known_files.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "engine/io/input_file.hpp"
#include "kernels/base/error.hpp"

namespace chiaro {
namespace {

constexpr KnownFile kFiles[] = {
    {"dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44", "vgg19", "torch",
     "torchvision's vgg19-dcbb9e9d.pth"},
    {"397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0", "vgg16", "torch",
     "torchvision's vgg16-397923af.pth"},
    {"d01eb7cb", "vgg19", "caffe", "jcjohnson/pytorch-vgg's vgg19-d01eb7cb.pth (Caffe's weights)"},
    {"00b39a1b", "vgg16", "caffe", "jcjohnson/pytorch-vgg's vgg16-00b39a1b.pth (Caffe's weights)"},
    {"c79401a0", "", "", "torchvision's vgg19_bn-c79401a0.pth, VGG-19 with batch norm"},
    {"6c64b313", "", "", "torchvision's vgg16_bn-6c64b313.pth, VGG-16 with batch norm"},
    {"9d97ed16", "", "", "NYU_FCRN-checkpoint.zip, TensorFlow's form of NYU_ResNet-UpProj.npy"},
};

}  // namespace

std::string sha256_of(const std::filesystem::path& path) {
  const InputFile file(path);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  require(digest && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1, "SHA-256 is not available");
  std::vector<std::byte> piece(1 << 20);
  for (std::int64_t offset = 0; offset < file.bytes(); offset += std::ssize(piece)) {
    piece.resize(static_cast<std::size_t>(std::min<std::int64_t>(std::ssize(piece), file.bytes() - offset)));
    file.read(offset, piece, "the file");
    require(EVP_DigestUpdate(digest.get(), piece.data(), piece.size()) == 1, "SHA-256 failed");
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum;
  unsigned length = 0;
  require(EVP_DigestFinal_ex(digest.get(), sum.data(), &length) == 1, "SHA-256 failed");
  std::string text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", sum[i]);
  return text;
}

const KnownFile* known_file(std::string_view sha256) {
  const auto found = std::find_if(std::begin(kFiles), std::end(kFiles),
                                  [&](const KnownFile& f) { return sha256.starts_with(f.sha256); });
  return found == std::end(kFiles) ? nullptr : found;
}

}  // namespace chiaro
