#include "apps/training/declared_network.hpp"

#include "layers/nets/resnet_upproj.hpp"
#include "layers/nets/vgg.hpp"

namespace chiaro {

namespace {

class DeclaredNetwork : public LossNetwork {
 public:
  explicit DeclaredNetwork(std::string kind) : kind_(std::move(kind)) {}

  std::map<std::string, TensorId> build(Graph& graph, TensorId picture, DType dtype,
                                        const std::vector<std::string>& features,
                                        const std::string& prefix) override {
    if (kind_ == "resnet_upproj")
      return build_resnet_upproj(graph, store_, picture, {}, dtype, features, prefix);
    return build_vgg(graph, store_, picture, {.depth = kind_ == "vgg16" ? 16 : 19}, dtype, features, prefix);
  }

 private:
  std::string kind_;
};

}  // namespace

std::unique_ptr<LossNetwork> declare_network(const std::string& kind) {
  return std::make_unique<DeclaredNetwork>(kind);
}

}  // namespace chiaro
