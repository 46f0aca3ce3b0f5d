// What is done with the styles of a transform network outside of training: one of them, or a mixture, as a
// plain network, and a trained network as the start of another.
//
// A plain network has one style without a name, and its output range is in its last convolution where that
// can be (scaled150 becomes linear): what runs on pictures and what is exported.
#pragma once
#include <string>
#include <vector>

#include "engine/io/weights_file.hpp"
#include "layers/networks/transform_net/transform_net.hpp"

namespace chiaro {

struct StyleShare {
  std::string name;
  double share = 1;
};

// "wave", "wave=0.6,the_scream=0.4"; without "=" a share of 1. Shares are scaled to add up to 1.
// Errors: an empty name, a style named twice, a share that is no number above 0.
std::vector<StyleShare> parse_style_shares(const std::string& text);
// "wave=0.6,the_scream=0.4"; "" for none.
std::string to_text(const std::vector<StyleShare>& shares);

// A share for each row of the network. No shares: those of a network of one style.
// Errors, which begin with `file`: a style that the network does not have; no shares where it has several.
std::vector<float> row_shares(const TransformNet& config, const std::vector<StyleShare>& shares,
                              const std::string& file);

TransformNet plain_config(TransformNet config);
// Parameters of the network of this configuration, as save_parameters() gives them, to those of its plain
// form.
std::vector<NamedTensor> plain_parameters(std::vector<NamedTensor> parameters, const TransformNet& config,
                                          const std::vector<float>& row_shares);

// The file's plain network; its provenance says which style that is.
WeightsFile choose_style(WeightsFile network, const std::vector<StyleShare>& shares, const std::string& file);

// Parameters for a network of this configuration from those of a trained one of the same layers. A style of
// the same name keeps its rows, as does the only style of either; another begins with the mean of all. Linear
// and scaled150 become each other.
// Errors, which begin with `file`: other layers, tensors that are missing or misshapen.
std::vector<NamedTensor> start_parameters(const WeightsFile& from, const TransformNet& config,
                                          const std::string& file);

}  // namespace chiaro
