// Transform networks as ONNX files, opset 13, for any runtime that reads ONNX.
//
//   input   "picture"   float (N,3,H,W), RGB 0..255; N, H and W are free, H and W at least 16
//   output  "stylized"  float (N,3,H,W), RGB 0..255 but not clamped: round and clamp it
//
// The graph is that of layers/networks/transform_net/transform_net.hpp: sizes that are no multiple of 4 are reflected out at
// the bottom and right and the output cropped; nearest upsampling is Resize and Conv, transposed
// ConvTranspose. Weights are fp32 and have PyTorch's names. metadata_props: chiaro.kind,
// .architecture, .preprocess, .provenance (JSON) and "preprocessing" in words.
#pragma once
#include <filesystem>

#include "engine/io/weights_file.hpp"

namespace chiaro {

// Atomic; the same network gives the same bytes. Errors: another kind of network, a preprocessing other than
// none (the network would be fed wrongly), tensors that are not those of the architecture.
void export_onnx(const std::filesystem::path& path, const WeightsFile& transform_net);

}  // namespace chiaro
