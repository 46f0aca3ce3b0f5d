// What an import may have to be told, and what it tells while it runs.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "engine/io/weights_file.hpp"

namespace chiaro {

class Hdf5File;

struct ImportOptions {
  // How the pictures must be prepared for a VGG whose file does not say it: "torch" (RGB/255, torchvision's
  // mean and deviation), "caffe" (BGR 0..255 minus Caffe's mean) or "caffe-rgb" (the same weights with the
  // input channels already swapped). "auto" goes by the file's checksum, or by the weights of its first
  // layer, and is an Error when neither is known. Contradicting what is known is an Error.
  std::string preprocess = "auto";
  // Which convention of padding a ResNet-UpProj was trained with: "nyu", "make3d", "auto" (told by the file).
  std::string padding = "auto";
  // Makes a network of a checkpoint of a training; without it, checkpoints are refused.
  std::function<WeightsFile(const Hdf5File&)> checkpoint;
  // Called before each tensor is read, with the bytes of values read so far and in all.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

}  // namespace chiaro
