// ResNet-UpProj in inference form: every batch norm is folded into the convolution before it, and the two
// branches of an up-projection share four convolutions with twice the channels. So a store holds fewer
// tensors than a file.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "layers/networks/resnet_upproj/resnet_upproj.hpp"

namespace chiaro {

// Adds the network up to the deepest of `features`; see build_vgg.
std::map<std::string, TensorId> build_resnet_upproj(Graph& graph, ParamStore& store, TensorId picture,
                                                    const ResnetUpproj& network, DType dtype,
                                                    const std::vector<std::string>& features,
                                                    const std::string& prefix);

// The parameters that the features need, without a graph.
void declare_resnet_upproj(ParamStore& store, const ResnetUpproj& network,
                           const std::vector<std::string>& features);

// Folds the batch norms of a file's tensors and fills an allocated store with what it declares. Missing
// tensors and wrong shapes are Errors that name `file`.
void load_resnet_upproj(ParamStore& store, const ResnetUpproj& network,
                        const std::vector<NamedTensor>& tensors, const std::string& file);

}  // namespace chiaro
