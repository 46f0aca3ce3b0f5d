// A trained transform network as a file and in memory, and its application to pictures.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "engine/cuda_graph.hpp"
#include "engine/io/weights_file.hpp"
#include "engine/session.hpp"
#include "engine/transfer.hpp"
#include "layers/networks/transform_net/banded_transform_net.hpp"
#include "layers/networks/transform_net/style_rows.hpp"

namespace chiaro {

// Configuration and parameters of a plain transform network (style_rows.hpp), ready to run.
struct TransformModel {
  TransformNet config;
  std::unique_ptr<ParamStore> params;
};

// The file's network in one style, or in a mixture of its styles. `file` is for messages. Errors: another
// kind of network, a missing tensor, a wrong shape; those of row_shares().
TransformModel make_transform_model(const WeightsFile& weights, const std::string& file,
                                    const std::vector<StyleShare>& style = {});
// parameters: as save_parameters() gives them, or the store that has them.
WeightsFile transform_weights_file(std::vector<NamedTensor> parameters, const TransformNet& config,
                                   const std::string& provenance_json);
WeightsFile transform_weights_file(const ParamStore& params, const TransformNet& config,
                                   const std::string& provenance_json);

// Applies a plain network to pictures of one size. Memory is planned and allocated by the constructor. On the
// CPU the picture goes through in bands where the network allows it, on a GPU as a whole and as one CUDA
// graph.
class Stylizer {
 public:
  Stylizer(Context& context, ParamStore& params, const TransformNet& config, std::int64_t height,
           std::int64_t width, DType dtype);
  Stylizer(const Stylizer&) = delete;
  Stylizer& operator=(const Stylizer&) = delete;

  // rgb, result: (height, width, 3) bytes; result is rounded and clamped. progress: called where the picture
  // goes through in bands.
  void run(const std::uint8_t* rgb, std::uint8_t* result, const BandedTransformNet::Progress& progress = {});
  std::int64_t planned_bytes() const;

  // What the constructor would allocate for the plain form of a network; allocates nothing itself. On a GPU
  // slightly overestimated.
  static std::int64_t estimate_bytes(Context& context, const TransformNet& config, std::int64_t height,
                                     std::int64_t width, DType dtype);

 private:
  std::optional<BandedTransformNet> banded_;
  // For what the banded form does not do.
  std::optional<Session> session_;
  std::optional<PictureFeed> picture_;
  std::optional<PictureSink> result_;
  std::optional<CudaGraph> work_;
  std::int64_t bytes_ = 0;  // of a picture
};

}  // namespace chiaro
