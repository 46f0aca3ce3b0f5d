// The transform network as a graph, for training and for whole pictures.
#pragma once
#include "engine/graph.hpp"
#include "layers/networks/transform_net/transform_net.hpp"

namespace chiaro {

// Adds the network to the graph, its parameters to the store, and returns the output picture.
//
// picture: (N,H,W,3), RGB 0..255, fp32, H, W >= 16; a size that is no multiple of 4 is reflected out to one
// at the bottom and right, and the output cropped.
// Output: the same shape, fp32, RGB 0..255 but not clamped.
// dtype: of activations and working weights.
// shares: of several styles in every picture, (N,1,1,rows), fp32, that add up to 1; a network of one style
// takes none.
TensorId build_transform_net(Graph& graph, ParamStore& store, TensorId picture, const TransformNet& network,
                             DType dtype, TensorId shares = -1);

// The parameters of the network without a graph.
void declare_transform_net(ParamStore& store, const TransformNet& network);

// Initial values: weights U(-1/sqrt(fan_in), 1/sqrt(fan_in)) as PyTorch's convolutions, gamma 1, beta 0,
// output bias mid-gray (127.5) for a linear output, else 0; every style alike.
// Deterministic: depends on the seed and the names only.
void initialize_transform_net(ParamStore& store, const TransformNet& network, std::uint64_t seed);

}  // namespace chiaro
