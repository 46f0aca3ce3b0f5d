// A narrow VGG trained to imitate a wide one, as a network that losses look through.
//
// While it is trained, an adapter A (C_wide, C_narrow) per feature carries the narrow network's features f to
// the wide one's: A f ~ F. Losses need no A f, only distances of it. With A = Q R, Q of orthonormal columns,
// |A x| = |R x| and |A X A^T| = |R X R^T| in the Frobenius norm, so the narrow network with heads h = r R f,
// r = sqrt(width / imitated width), gives the content loss (mean over C_narrow H W) the very value that A f
// would, and the Gram matrices h^T h / (H W C_narrow) the squared distances of those of A f. Only the mean
// over the C_narrow^2 entries of such a Gram matrix is larger than that over C_wide^2: by
// 1 / compact_gram_loss_scale(). So loss weights mean what they mean with the wide network.
//
// File: kind "vgg19", architecture {"depth":19,"width":16,"imitates_width":64,"heads":["relu1_1",...]},
// the parameters of vgg.hpp.
#pragma once
#include <string>

#include "engine/linear_algebra.hpp"
#include "layers/nets/vgg.hpp"

namespace chiaro {

// (width / imitated width)^2
double compact_gram_loss_scale(std::int64_t width, std::int64_t imitated_width);

// Name of the parameter A of a feature, (C_wide,1,1,C_narrow), while the network is trained.
std::string adapter_name(const std::string& feature);

// r R of an adapter: (C_narrow, C_narrow).
Matrix compact_head(const Matrix& adapter);

// The trained network with its adapters folded into heads. trained: the parameters of `network` and an
// adapter for each of network.heads.
WeightsFile compact_vgg_file(const ParamStore& trained, const VggConfig& network, std::int64_t imitated_width,
                             const std::string& provenance);

}  // namespace chiaro
