// The configuration of a training run: TOML in, a checked struct out, and back.
//
// Every key has a default, shown here. Ranges, choices and one line of help per key are in config_keys.cpp,
// which also drives reading, messages and writing; load_config refuses unknown keys, wrong types and values
// out of range. Whether files exist and whether layers belong to their network is checked by whoever opens
// them.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/batch_builder.hpp"
#include "layers/gram_loss_layers.hpp"
#include "layers/networks/transform_net/transform_net.hpp"

namespace chiaro {

// In place of a path under [weights]: a network with random filters (weights_import/random_vgg.hpp).
// As model.init: random values, whatever comes with chiaro.
inline constexpr std::string_view kRandomWeights = "random";
// In place of a path under [weights]: the small network that comes with chiaro.
inline constexpr std::string_view kCompactWeights = "compact";
// In place of a path under [weights]: Keras' file of a VGG, fetched once.
inline constexpr std::string_view kDownloadWeights = "download";
// As model.init: the style network that comes with chiaro.
inline constexpr std::string_view kBaseModel = "base";

// Choices, and their names in configurations in the same order.
enum class Task { Style, Depth, Distill };
inline constexpr std::array kTaskNames{"style", "depth", "distill"};
enum class Balance {
  Weights,
  Gradient
};  // Gradient: weights are worked out from shares before the run begins
inline constexpr std::array kBalanceNames{"weights", "gradient"};
enum class OptimizerMethod { Adam, Sgd };
inline constexpr std::array kOptimizerMethodNames{"adam", "sgd"};
enum class Schedule { Constant, Cosine };  // Cosine: lr falls to 0 at the end of the run
inline constexpr std::array kScheduleNames{"constant", "cosine"};
enum class Encoder { Resnet50, Resnet50C4 };  // C4: without stage 5
inline constexpr std::array kEncoderNames{"resnet50", "resnet50-c4"};
inline constexpr std::array kCropNames{"random", "center", "none"};  // of CropMode
inline constexpr std::array kReductionNames{"mean", "sum"};          // of StyleLossLayer::Reduction

struct ModelConfig {
  TransformNet network{.output = OutputRange::Scaled150};  // but for its styles, which [[style]] names
  std::string
      init;  // model file to start from, kBaseModel, kRandomWeights; "" = the base where it fits, else random
  bool operator==(const ModelConfig&) const = default;
};

struct DataConfig {
  std::vector<std::string> train = {"photos"};  // folders, or one packed file
  std::int64_t image_size = 256;                // pixels, both sides
  std::int64_t batch_size = 4;
  CropMode crop = CropMode::Random;
  bool shuffle = true;
  std::int64_t workers = 1;     // threads that decode
  std::int64_t cache_mb = 512;  // decoded photos kept in memory, MiB; 0 = none
  bool operator==(const DataConfig&) const = default;
};

// One of the styles that a network learns.
struct StyleConfig {
  std::string name;  // "" = that of the file
  std::string image = "starry_night.jpg";
  std::int64_t size = 0;  // long side in pixels; 0 = its own size
  double weight = 1;      // factor of its style loss
  bool operator==(const StyleConfig&) const = default;
};
// The name that the style goes by; what a file's name has beyond is_style_name() becomes "_".
std::string style_name(const StyleConfig& style);

struct WeightsConfig {
  std::string vgg19 = "vgg19.h5", vgg16 = "vgg16.h5",
              resnet_upproj = "compact";  // or kRandomWeights, kCompactWeights, a VGG kDownloadWeights
  std::string base_url =
      "https://storage.googleapis.com/tensorflow/keras-applications";  // of what is fetched
  bool operator==(const WeightsConfig&) const = default;
};

// A loss on features of a frozen network. layer_weights is empty (all 1) or has one factor per layer.
struct FeatureLossConfig {
  std::string name;  // in logs, reports and messages
  std::string net = "vgg19";
  std::vector<std::string> layers = {};
  std::vector<double> layer_weights = {};
  double weight = 0;
  double share = 0;  // with loss.balance = "gradient": of the gradient, in place of the weight
  bool operator==(const FeatureLossConfig&) const = default;
};

// A loss on the generated picture alone.
struct PictureLossConfig {
  std::string name;
  double weight = 0;
  double share = 0;  // as above; of the range term: were every value 10 outside
  bool operator==(const PictureLossConfig&) const = default;
};

// The objective: the terms that are summed up. Configuration, graph, balance and log go through terms().
struct LossConfig {
  Balance balance = Balance::Weights;
  FeatureLossConfig style = {"style", "vgg19", {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"},
                             {},      1e2,     0.4};
  StyleLossLayer::Reduction style_reduction =
      StyleLossLayer::Reduction::Mean;  // over the C*C entries of a Gram matrix
  // Features of the generated picture against those of the photo: loss.content, loss.depth, then every
  // [[loss.feature]]. The depth term's values are for the compact depth network; benchmarks/results/depth
  // says where they come from.
  std::vector<FeatureLossConfig> features = {
      {"content", "vgg19", {"relu4_2"}, {}, 7.5, 0.2},
      {"depth", "resnet_upproj", {"up_4x", "up_8x", "prediction"}, {}, 5e5, 0.4}};
  std::vector<PictureLossConfig> pictures = {{"tv", 2e2, 0},
                                             {"range", 5e4, 0.05}};  // range: of values outside 0 to 255

  struct Term {
    std::string name;
    double* weight;
    double share;
  };
  std::vector<Term> terms();  // all of them, in order
  FeatureLossConfig& content() { return features[0]; }
  FeatureLossConfig& depth() { return features[1]; }
  PictureLossConfig& tv() { return pictures[0]; }
  PictureLossConfig& range() { return pictures[1]; }
  const FeatureLossConfig& content() const { return features[0]; }
  const FeatureLossConfig& depth() const { return features[1]; }
  const PictureLossConfig& tv() const { return pictures[0]; }
  const PictureLossConfig& range() const { return pictures[1]; }
  bool operator==(const LossConfig&) const = default;
};

// What task = "depth" trains, and on what: data.train names one folder with rgb/ and depth/.
struct DepthConfig {
  std::string train_list = "train.txt", validation_list = "val.txt";  // in that folder; "" = all, none
  double meters_per_unit = 0.001;                                     // of the depth maps
  Encoder encoder = Encoder::Resnet50;
  std::string encoder_weights;      // Keras HDF5; "" = random values
  double encoder_lr = 1;            // the encoder's factor of optimizer.lr
  std::int64_t width = 64;          // channels of the stem
  std::int64_t decoder_width = 0;   // channels that enter the up-projections; 0 = 16 * width
  std::int64_t up_projections = 4;  // each doubles height and width
  std::int64_t input_height = 228, input_width = 304;
  std::int64_t validate_every = 500;  // iterations; 0 = only at the end
  bool augment = true;                // what follows and mirroring, or nothing of it
  double max_scale = 1.5, max_rotation = 5, channel_gain = 0.2, overall_gain = 0;  // DepthAugmentation
  bool operator==(const DepthConfig&) const = default;
};

// What task = "distill" trains: the VGG-19 of weights.vgg19 with its convolutions in two factors of low rank.
struct DistillConfig {
  std::vector<double> ranks = {24, 40, 64, 96,
                               96};  // by block, of its convolutions but the very first; whole numbers
  std::vector<std::string> layers = {"relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1",
                                     "relu3_3", "relu4_1", "relu4_2", "relu5_1"};
  double feature_weight = 1, gram_weight = 1;  // of the mean relative errors of features and Gram matrices
  double recolor = 1;                          // 0 to 1: how far the colors of photos are changed at random
  std::vector<std::string> validation;         // folders of photos, or one packed file; none = no validation
  std::int64_t validate_every = 500;           // iterations; 0 = only at the end
  bool operator==(const DistillConfig&) const = default;
};

struct OptimizerConfig {
  OptimizerMethod method = OptimizerMethod::Adam;
  double lr = 1e-3;
  std::int64_t norms_first = 0;  // iterations in which only gammas and betas learn
  double norm_lr = 1;            // of the gammas and betas of a style network, factor of lr
  std::int64_t warmup = 50;      // iterations in which lr grows to its full size
  Schedule schedule = Schedule::Constant;
  std::int64_t decay_every = 0;                   // iterations; 0 = never; whatever the length of the run
  double decay = 0.1;                             // factor of lr
  double weight_decay = 0;                        // per step, lr * this of every parameter
  double momentum = 0.9;                          // of SGD
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // of Adam
  double average = 0.99;  // of the running average of the weights of a style network; 0 = none
  bool operator==(const OptimizerConfig&) const = default;
};

// Intervals are in iterations; 0 = never.
struct RunConfig {
  std::int64_t iterations = 20000;
  double minutes = 0;              // the run ends after so much work, if not sooner; 0 = no limit
  std::string precision = "auto";  // "fp32", "tf32", "bf16"
  std::int64_t checkpoint_every = 1000, keep_checkpoints = 3;
  std::int64_t preview_every = 500, log_every = 1, gradient_norms_every = 100;
  std::string out = "runs/starry_night";  // run folder
  bool operator==(const RunConfig&) const = default;
};

struct TrainConfig {
  Task task = Task::Style;
  std::int64_t seed = 1;
  ModelConfig model;
  DataConfig data;
  std::vector<StyleConfig> styles = {StyleConfig{}};  // [style], or several [[style]]
  WeightsConfig weights;
  LossConfig loss;
  DepthConfig depth;
  DistillConfig distill;
  OptimizerConfig optimizer;
  RunConfig train;  // [train]
  bool operator==(const TrainConfig&) const = default;
};

// Reads the file, then applies overrides of the form "train.iterations=100". Values of overrides are TOML;
// strings need no quotes. A list of strings may be given as one string. Relative paths, the defaults' too,
// are resolved against the folder of the file, those of overrides against the current folder; results are
// absolute. Throws Error: "config.toml:12: unknown key 'train.iteration'; did you mean 'train.iterations'?"
// and the like.
TrainConfig load_config(const std::filesystem::path& path, std::span<const std::string> overrides = {});

// The same from text; `name` stands for the file in messages, `folder` is what relative paths start from.
TrainConfig parse_config(std::string_view text, const std::string& name, const std::filesystem::path& folder,
                         std::span<const std::string> overrides = {});

// Every key with its default, what it takes and what it means, as a Markdown table: the one in
// apps/README.md.
std::string key_table();

// Every key with its value and a comment. Loading the text gives an equal configuration.
std::string to_toml(const TrainConfig& config);

}  // namespace chiaro
