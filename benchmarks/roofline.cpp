// roofline [CONFIG.toml]: the work of one training iteration, counted from the graph that would run: per
// kernel its launches, FLOPs and bytes, and the time that neither can go below on a device of given rates. It
// measures nothing and needs no GPU, no photos and no weights. ROOFLINE.md explains how the counting is done.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <vector>

#include "apps/common/program.hpp"
#include "apps/training/style_graph.hpp"
#include "engine/session_plan.hpp"

namespace {

using namespace chiaro;

struct Rates {
  double matrix = 989.4, tf32 = 494.7,
         memory = 3.35;  // TFLOP/s, TFLOP/s, TB/s: NVIDIA's data sheet, H100 SXM
};

struct Work {
  std::int64_t launches = 0;
  double flop = 0, bytes = 0, limit_s = 0, compute_s = 0, memory_s = 0;
};

enum class Unit { Matrix, Tf32 };

class Counter {
 public:
  Counter(const Graph& graph, const Rates& rates, DType dtype)
      : graph_(graph),
        in_place_(gradients_in_place(graph, plan_session(graph, {.backward = true}))),
        rates_(rates),
        dtype_(dtype) {}

  void count_step() {
    std::vector<bool> written(graph_.tensors().size(), false);
    for (const auto& node : graph_.nodes()) forward(node);
    for (std::size_t i = graph_.nodes().size(); i-- > 0;)
      if (graph_.tensor(graph_.nodes()[i].output).needs_gradient)
        backward(graph_.nodes()[i], in_place_[i], written);
  }
  // Every parameter: value, gradient and two moments read, all but the gradient written, in fp32, and the
  // working copy written.
  void count_adam(std::int64_t parameters) {
    const double copy = dtype_ == DType::BF16 ? 2 : 0;
    add("Adam", 0, static_cast<double>(parameters) * (7 * 4 + copy));
  }
  const std::map<std::string, Work>& kernels() const { return kernels_; }

 private:
  void add(const std::string& kernel, double flop, double bytes, Unit unit = Unit::Matrix) {
    Work& w = kernels_[kernel];
    const double compute = flop / (1e12 * (unit == Unit::Matrix ? rates_.matrix : rates_.tf32));
    const double memory = bytes / (1e12 * rates_.memory);
    ++w.launches;
    w.flop += flop;
    w.bytes += bytes;
    w.compute_s += compute;
    w.memory_s += memory;
    w.limit_s += std::max(compute, memory);
  }

  double bytes(TensorId id) const { return static_cast<double>(graph_.tensor(id).spec.bytes()); }
  double weight_bytes(const Graph::Node& node) const {
    const auto params = node.layer->params();
    return params.empty() ? 0 : static_cast<double>(params[0].shape().count() * size_of(dtype_));
  }
  // The phases of an upsampling convolution: as many values as the output, but for a border.
  double phase_bytes(const Graph::Node& node) const { return bytes(node.output); }

  void forward(const Graph::Node& node) {
    const std::string type = node.layer->type();
    const double x = bytes(node.inputs[0]), y = bytes(node.output), w = weight_bytes(node);
    const double flop = 2 * static_cast<double>(node.layer->multiply_adds());
    const Shape s = graph_.shape(node.inputs[0]);
    if (type == "conv2d") {
      const bool widens = graph_.tensor(node.inputs[0]).spec.dtype != graph_.tensor(node.output).spec.dtype;
      if (widens) add("convolution: widen x for an fp32 y", 0, 3 * x);
      add("convolution forward", flop, (widens ? 2 * x : x) + w + y * (node.inputs.size() == 2 ? 2 : 1),
          widens ? Unit::Tf32 : Unit::Matrix);
    } else if (type == "upsample_conv" || type == "conv_transpose2d") {
      add("convolution forward", flop, x + w + phase_bytes(node));
      if (type == "upsample_conv") {
        add("pixel_shuffle phases", 0, 2 * y);
        for (int direction = 0; direction < 2; ++direction) add("fold and unfold weights", 0, 4 * w);
      }
    } else if ((type == "instance_norm" || type == "conditional_norm")) {
      add("instance norm: statistics", 0, x);
      add("instance norm: apply", 0, x + y + (node.inputs.size() == 2 ? bytes(node.inputs[1]) : 0));
    } else if (type == "style_loss") {
      const double square = static_cast<double>(s.n * s.c * s.c);
      const double target = 4 * square / static_cast<double>(s.n);
      add("Gram matrix and style loss", square * static_cast<double>(s.pixels()),  // one half of 2 C^2 HW
          x + 4 * square + target);
    } else if (type == "pixel_shuffle") {
      // Each of the layers on four phases reads its own channels of them: as many values as it writes.
      add("pixel_shuffle phases", 0, 2 * y + (node.inputs.size() == 5 ? bytes(node.inputs[4]) : 0));
    } else if (node.layer->is_loss()) {
      if (node.layer->value_comes_with_gradient() && graph_.tensor(node.output).needs_gradient) return;
      add("losses", 0, x + (node.inputs.size() == 2 ? bytes(node.inputs[1]) : 0));
    } else {
      add("pool, border, preprocess, output range", 0, x + y);
    }
  }

  // Bytes of writing the gradient of input i: the first writer overwrites, later ones read it as well.
  double written_gradient(const Graph::Node& node, std::size_t i, std::vector<bool>& written) const {
    const TensorId id = node.inputs[i];
    if (!graph_.tensor(id).needs_gradient) return 0;
    const double factor = written[id] ? 2 : 1;
    written[id] = true;
    return factor * bytes(id);
  }

  void backward(const Graph::Node& node, bool in_place, std::vector<bool>& written) {
    const std::string type = node.layer->type();
    const double x = bytes(node.inputs[0]), y = bytes(node.output), w = weight_bytes(node);
    const double flop = 2 * static_cast<double>(node.layer->multiply_adds());
    const Shape s = graph_.shape(node.inputs[0]);
    if (type == "conv2d" || type == "upsample_conv" || type == "conv_transpose2d") {
      const bool rounds = type == "conv2d" && graph_.tensor(node.inputs[0]).spec.dtype == DType::BF16 &&
                          graph_.tensor(node.output).spec.dtype == DType::F32;
      const double dy = rounds ? y / 2 : y;
      if (type == "conv2d" && node.spec.backward_reads_output) add("ReLU mask", 0, 3 * y);
      if (in_place)
        written[node.inputs[1]] = true;
      else if (node.inputs.size() == 2)
        add("add gradients", 0, y + written_gradient(node, 1, written));
      if (type == "upsample_conv") add("pixel_shuffle phases", 0, y + phase_bytes(node));
      if (node.trains_parameters) {
        if (rounds) add("convolution: round dy to bf16", 0, 1.5 * y);
        add("convolution backward weights", flop, x + dy + w);
        if (dtype_ == DType::BF16) add("convolution: dw from bf16 to fp32", 0, 3 * w);
        if (type == "upsample_conv") add("fold and unfold weights", 0, 4 * w);
      }
      if (graph_.tensor(node.inputs[0]).needs_gradient)
        add("convolution backward data", flop, dy + w + written_gradient(node, 0, written));
    } else if ((type == "instance_norm" || type == "conditional_norm")) {
      add("instance norm: gradient sums", 0, x + y);
      double out = written_gradient(node, 0, written);
      if (node.inputs.size() == 2) out += written_gradient(node, 1, written);
      add("instance norm: gradient apply", 0, x + y + out);
    } else if (type == "style_loss") {
      const double square = static_cast<double>(s.n * s.c * s.c);
      add("Gram matrix backward", 2 * square * static_cast<double>(s.pixels()),
          x + 4 * square + written_gradient(node, 0, written));
    } else if (type == "pixel_shuffle") {
      double more = node.spec.backward_reads_output ? y : 0;
      if (node.inputs.size() == 5) more += written_gradient(node, 4, written);
      for (std::size_t i = 0; i < 4; ++i) written_gradient(node, i, written);
      add("pixel_shuffle phases", 0, 2 * y + more);
    } else if (node.layer->is_loss()) {
      add("losses", 0,
          x + (node.inputs.size() == 2 ? bytes(node.inputs[1]) : 0) + written_gradient(node, 0, written));
    } else {
      const double reads = type == "max_pool" ? x + y : type == "tanh_output" ? y : 0;
      add("pool, border, preprocess, output range", 0, reads + y + written_gradient(node, 0, written));
    }
  }

  const Graph& graph_;
  const std::vector<bool> in_place_;
  Rates rates_;
  DType dtype_;
  std::map<std::string, Work> kernels_;
};

void print(const std::map<std::string, Work>& kernels) {
  fmt::print("| kernel | launches | GFLOP | MB | arithmetic, ms | memory, ms | limit, ms |\n");
  fmt::print("|---|---|---|---|---|---|---|\n");
  std::vector<std::pair<std::string, Work>> rows(kernels.begin(), kernels.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second.limit_s > b.second.limit_s; });
  Work sum;
  const auto row = [](const std::string& name, const Work& w) {
    fmt::print("| {} | {} | {:.1f} | {:.1f} | {:.3f} | {:.3f} | {:.3f} |\n", name, w.launches, 1e-9 * w.flop,
               1e-6 * w.bytes, 1e3 * w.compute_s, 1e3 * w.memory_s, 1e3 * w.limit_s);
  };
  for (const auto& [name, w] : rows) {
    row(name, w);
    sum.launches += w.launches;
    sum.flop += w.flop;
    sum.bytes += w.bytes;
    sum.compute_s += w.compute_s;
    sum.memory_s += w.memory_s;
    sum.limit_s += w.limit_s;
  }
  row("**sum**", sum);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Counts the work of one training iteration.", "roofline"};
  std::string config_file;
  std::vector<std::string> overrides;
  std::string precision = "bf16";
  Rates rates;
  app.add_option("CONFIG", config_file, "configuration (TOML); without it, the poster's recipe");
  app.add_option("--set", overrides, "override a key of the configuration")->allow_extra_args(false);
  app.add_option("--precision", precision, "bf16 or fp32")
      ->check(CLI::IsMember({"bf16", "fp32"}))
      ->capture_default_str();
  app.add_option("--matrix-tflops", rates.matrix, "of the precision's matrix units")->capture_default_str();
  app.add_option("--tf32-tflops", rates.tf32, "of TF32 beside bf16")->capture_default_str();
  app.add_option("--memory-tbps", rates.memory, "of the device's memory")->capture_default_str();
  return run_program(app, argc, argv, [&] {
    Context context(1);
    TrainConfig config;  // the poster's recipe: the full depth network, looked at near its end
    config.weights.resnet_upproj = "resnet_upproj.h5";
    config.loss.depth().layers = {"up_8x", "up_16x", "prediction"};
    config = config_file.empty() ? parse_config(to_toml(config), "the defaults", ".", overrides)
                                 : load_config(config_file, overrides);
    const DType dtype = precision == "bf16" ? DType::BF16 : DType::F32;
    const StyleGraph step = build_style_graph(context, config, dtype, GraphPurpose::Plan);
    Counter counter(step.graph, rates, dtype);
    counter.count_step();
    counter.count_adam(step.params->parameter_count());
    fmt::print("{} pictures of {}x{}, {}; {} TFLOP/s, TF32 {} TFLOP/s, {} TB/s\n\n", config.data.batch_size,
               config.data.image_size, config.data.image_size, precision, rates.matrix, rates.tf32,
               rates.memory);
    print(counter.kernels());
    return 0;
  });
}
