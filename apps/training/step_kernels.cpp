#include "apps/training/step_kernels.hpp"

#include <vector>

#include "engine/session_plan.hpp"

namespace chiaro {

namespace {

using Names = std::vector<const char*>;

// Per type of layer. Convolutions are not here: their launches depend on more.
struct LayerKernels {
  Names forward, backward;
};
const LayerKernels& kernels_of(const std::string& type) {
  static const std::map<std::string, LayerKernels> table{
      {"border", {{"border_forward"}, {"border_backward"}}},
      {"crop", {{"border_crop"}, {"border_crop_backward"}}},
      {"feature_loss", {{"mse", "finish_sum"}, {"mse", "finish_sum"}}},
      {"conditional_norm",
       {{"row_mix_forward", "row_mix_forward", "moments", "finish_moments", "instance_norm_apply"},
        {"instance_norm_sums", "instance_norm_finish_sums", "instance_norm_dx", "row_mix_backward",
         "row_mix_backward"}}},
      {"instance_norm",
       {{"moments", "finish_moments", "instance_norm_apply"},
        {"instance_norm_sums", "instance_norm_finish_sums", "instance_norm_dx"}}},
      {"interleave", {{"interleave_forward"}, {"interleave_backward"}}},
      {"max_pool", {{"max_pool_forward"}, {"max_pool_backward"}}},
      {"preprocess", {{"channel_affine_forward"}, {"channel_affine_backward"}}},
      {"range_loss", {{"range", "finish_sum"}, {"range", "finish_sum"}}},
      {"relu", {{"relu_forward"}, {"relu_backward"}}},
      {"style_loss", {{"gram", "gram_style_finish", "finish_sum"}, {"gram_backward"}}},
      {"tanh_output", {{"tanh_output_forward"}, {"tanh_output_backward"}}},
      {"tv_loss", {{"total_variation", "finish_sum"}, {"total_variation", "finish_sum"}}},
      // The weights are folded for either direction.
      {"upsample_conv",
       {{"upsample_fold_weights", "conv2d_forward", "interleave_forward"},
        {"interleave_backward_rest", "upsample_unfold_gradient", "upsample_fold_weights"}}}};
  const auto found = table.find(type);
  require(found != table.end(), "the launches of a layer of type {} are not known", type);
  return found->second;
}

class Counter {
 public:
  explicit Counter(const Graph& graph)
      : graph_(graph), in_place_(gradients_in_place(graph, plan_session(graph, {.backward = true}))) {}

  std::map<std::string, std::int64_t> count() {
    add({"picture_to_tensor", "gradient_squares", "finish_sum", "adam_step"});
    for (const auto& node : graph_.nodes()) forward(node);
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i)
      if (graph_.tensor(graph_.nodes()[i].output).needs_gradient) backward(graph_.nodes()[i], in_place_[i]);
    return std::move(kernels_);
  }

 private:
  void add(const Names& names) {
    for (const char* name : names) ++kernels_[name];
  }
  bool wants_gradient(const Graph::Node& node, std::size_t input) const {
    return graph_.tensor(node.inputs[input]).needs_gradient;
  }

  void forward(const Graph::Node& node) {
    const std::string type = node.layer->type();
    if (node.layer->value_comes_with_gradient() && graph_.tensor(node.output).needs_gradient) return;
    if (type == "conv2d") return add({"conv2d_forward"});
    if (type == "conv_transpose2d") return add({"conv2d_backward_data"});
    add(kernels_of(type).forward);
    if (type != "style_loss" || node.inputs.size() == 1) return;
    // Several styles: targets and their factors are mixed, and every picture has a value of its own.
    add({"row_mix_forward", "row_mix_forward"});
    for (std::int64_t n = 1; n < graph_.shape(node.inputs[0]).n; ++n)
      add({"gram_style_finish", "finish_sum"});
  }

  void backward(const Graph::Node& node, bool in_place) {
    const std::string type = node.layer->type();
    const bool transposed = type == "conv_transpose2d";
    const bool convolution = type == "conv2d" || transposed || type == "upsample_conv";
    if (convolution && node.trains_parameters) add({"conv2d_backward_weights"});
    if (convolution && wants_gradient(node, 0)) add({transposed ? "conv2d_forward" : "conv2d_backward_data"});
    if (type == "conv2d") {
      if (node.spec.backward_reads_output) add({"relu_backward"});
      if (node.inputs.size() == 2 && wants_gradient(node, 1) && !in_place) add({"assign"});
    } else if (!transposed) {
      add(kernels_of(type).backward);
    }
  }

  const Graph& graph_;
  const std::vector<bool> in_place_;  // per node: its gradient is passed on where it lies
  std::map<std::string, std::int64_t> kernels_;
};

}  // namespace

std::map<std::string, std::int64_t> step_kernels(const Graph& graph) {
  return Counter(graph).count();
}

}  // namespace chiaro
