#include "apps/training/config_keys.hpp"

#include <algorithm>

#include "engine/suggest.hpp"
#include "kernels/base/error.hpp"
#include "layers/networks/networks.hpp"

namespace chiaro {
namespace {

constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

std::string describe_range(NumberKey::Range range) {
  switch (range) {
    case NumberKey::AtLeastZero:
      return "a number of at least 0";
    case NumberKey::Positive:
      return "a number greater than 0";
    case NumberKey::AboveZeroToOne:
      return "a number above 0, at most 1";
    case NumberKey::ZeroToBelowOne:
      break;
  }
  return "a number from 0 to below 1";
}

// Of a loss on features under its section, "loss.content".
std::vector<ConfigKey> feature_loss_keys(const std::string& section, FeatureLossConfig& loss) {
  const bool style = loss.name == "style";
  return {{section + ".net",
           choice(&loss.net, style ? std::vector<std::string>{"vgg19", "vgg16"} : loss_network_names()),
           "the network whose features are compared"},
          {section + ".layers", NameListKey{&loss.layers}, "its layers"},
          {section + ".layer_weights", NumberListKey{&loss.layer_weights}, "one per layer; empty = all 1"},
          {section + ".weight", NumberKey{&loss.weight, NumberKey::AtLeastZero}, "0 = the term is left out"},
          {section + ".share", NumberKey{&loss.share, NumberKey::AtLeastZero},
           "of the gradient, with loss.balance"}};
}

std::vector<ConfigKey> loss_keys(LossConfig& loss) {
  std::vector<ConfigKey> keys = feature_loss_keys("loss.style", loss.style);
  keys.push_back(
      {"loss.style.reduction", choice(&loss.style_reduction, kReductionNames), "over the Gram matrix"});
  for (FeatureLossConfig* feature : {&loss.content(), &loss.depth()})
    for (ConfigKey& key : feature_loss_keys("loss." + feature->name, *feature))
      keys.push_back(std::move(key));
  keys.push_back(
      {"loss.tv.weight", NumberKey{&loss.tv().weight, NumberKey::AtLeastZero}, "of the total variation"});
  keys.push_back({"loss.tv.share", NumberKey{&loss.tv().share, NumberKey::AtLeastZero},
                  "of the gradient, with loss.balance"});
  keys.push_back({"loss.range.weight", NumberKey{&loss.range().weight, NumberKey::AtLeastZero},
                  "of values outside 0 to 255"});
  keys.push_back({"loss.range.share", NumberKey{&loss.range().share, NumberKey::AtLeastZero},
                  "of the gradient if every value were 10 outside, with loss.balance"});
  return keys;
}

}  // namespace

std::vector<ConfigKey> feature_keys(FeatureLossConfig& feature) {
  std::vector<ConfigKey> keys{{"loss.feature.name", TextKey{&feature.name}, "in logs and reports"}};
  for (ConfigKey& key : feature_loss_keys("loss.feature", feature)) keys.push_back(std::move(key));
  return keys;
}

std::vector<ConfigKey> config_keys(TrainConfig& c) {
  const std::vector<std::string> words = {std::string(kCompactWeights), std::string(kRandomWeights)};
  const std::vector<std::string> vgg_words = {std::string(kCompactWeights), std::string(kDownloadWeights),
                                              std::string(kRandomWeights)};
  const auto at_least_0 = NumberKey::AtLeastZero;
  std::vector<ConfigKey> keys = {
      {"task", choice(&c.task, kTaskNames),
       "what is trained: a style network, a depth network, a fast VGG-19"},
      {"seed", IntegerKey{&c.seed, 0, kAny}, "of every random number"},

      {"model.width", IntegerKey{&c.model.network.width, 1, 512}, "channels of the first convolution"},
      {"model.residual_blocks", IntegerKey{&c.model.network.residual_blocks, 0, 64}, ""},
      {"model.upsample", choice(&c.model.network.upsample, kUpsampleNames),
       "transposed convolutions may checker"},
      {"model.padding", choice(&c.model.network.padding, kPaddingNames),
       "what convolutions see beyond the border"},
      {"model.norm_eps", NumberKey{&c.model.network.norm_eps, NumberKey::Positive}, "added to the variance"},
      {"model.output", choice(&c.model.network.output, kOutputRangeNames),
       "x, 150 tanh(x) + 127.5, 150 x + 127.5"},
      {"model.init", PathKey{&c.model.init, {std::string(kBaseModel), std::string(kRandomWeights)}},
       "model file to start from; \"\" = a style network: the base that comes with chiaro, where it fits"},

      {"data.train", PathListKey{&c.data.train},
       "folders with photos (searched recursively) or one packed file; depth: one folder"},
      {"data.image_size", IntegerKey{&c.data.image_size, 16, 4096}, "pixels, both sides"},
      {"data.batch_size", IntegerKey{&c.data.batch_size, 1, 1024}, "photos per iteration"},
      {"data.crop", choice(&c.data.crop, kCropNames), "none: photos already have the size"},
      {"data.shuffle", BoolKey{&c.data.shuffle}, "a new order in every epoch"},
      {"data.workers", IntegerKey{&c.data.workers, 1, 256}, "threads that decode photos"},
      {"data.cache_mb", IntegerKey{&c.data.cache_mb, 0, 1 << 20}, "memory for decoded photos, MiB"},

      {"weights.vgg19", PathKey{&c.weights.vgg19, vgg_words},
       "only networks with a loss are read; or \"compact\", \"download\", \"random\""},
      {"weights.vgg16", PathKey{&c.weights.vgg16, vgg_words}, "or \"download\", \"random\""},
      {"weights.resnet_upproj", PathKey{&c.weights.resnet_upproj, words}, "or \"compact\""},
      {"weights.base_url", TextKey{&c.weights.base_url}, "where \"download\" fetches from"},

      {"loss.balance", choice(&c.loss.balance, kBalanceNames), "gradient: weights follow from the shares"},
      {"depth.train_list", TextKey{&c.depth.train_list},
       "ids to train on, a file in data.train with rgb/ and depth/; \"\" = all"},
      {"depth.validation_list", TextKey{&c.depth.validation_list}, "ids to validate on; \"\" = none"},
      {"depth.meters_per_unit", NumberKey{&c.depth.meters_per_unit, NumberKey::Positive},
       "of the depth maps"},
      {"depth.encoder", choice(&c.depth.encoder, kEncoderNames), "c4: without stage 5"},
      {"depth.encoder_weights", PathKey{&c.depth.encoder_weights},
       "ResNet-50 as Keras HDF5; \"\" = random values"},
      {"depth.encoder_lr", NumberKey{&c.depth.encoder_lr, NumberKey::AboveZeroToOne},
       "factor of optimizer.lr for the encoder: below 1 keeps more of what it knew"},
      {"depth.width", IntegerKey{&c.depth.width, 1, 512},
       "channels of the first convolution; 64 = ResNet-50"},
      {"depth.decoder_width", IntegerKey{&c.depth.decoder_width, 0, 4096},
       "channels that enter the up-projections, which halve them; 0 = 16 * width"},
      {"depth.up_projections", IntegerKey{&c.depth.up_projections, 1, 4}, "each doubles height and width"},
      {"depth.input_height", IntegerKey{&c.depth.input_height, 32, 4096}, "pixels"},
      {"depth.input_width", IntegerKey{&c.depth.input_width, 32, 4096}, "pixels"},
      {"depth.validate_every", IntegerKey{&c.depth.validate_every, 0, kAny},
       "iterations; 0 = only at the end"},
      {"depth.augment", BoolKey{&c.depth.augment}, "scale, rotate, mirror, recolor, as the next four say"},
      {"depth.max_scale", NumberKey{&c.depth.max_scale, NumberKey::Positive}, "1 to 10; 1 = none"},
      {"depth.max_rotation", NumberKey{&c.depth.max_rotation, at_least_0}, "degrees, 0 to 45"},
      {"depth.channel_gain", NumberKey{&c.depth.channel_gain, at_least_0},
       "each color channel times 1 - this to 1 + this; 0 to 1"},
      {"depth.overall_gain", NumberKey{&c.depth.overall_gain, at_least_0}, "all channels times one number"},

      {"distill.ranks", NumberListKey{&c.distill.ranks},
       "of the convolutions of each of the five blocks; one that is no less than their channels leaves them "
       "whole"},
      {"distill.layers", NameListKey{&c.distill.layers}, "of weights.vgg19, to be imitated"},
      {"distill.feature_weight", NumberKey{&c.distill.feature_weight, at_least_0},
       "of the relative error of the features"},
      {"distill.gram_weight", NumberKey{&c.distill.gram_weight, at_least_0}, "of their Gram matrices"},
      {"distill.recolor", NumberKey{&c.distill.recolor, at_least_0},
       "how far the colors of photos are changed at random, 0 to 1"},
      {"distill.validation", PathListKey{&c.distill.validation, true},
       "folders with photos held out, or one packed file; [] = none"},
      {"distill.validate_every", IntegerKey{&c.distill.validate_every, 0, kAny},
       "iterations; 0 = only at the end"},

      {"optimizer.method", choice(&c.optimizer.method, kOptimizerMethodNames), ""},
      {"optimizer.lr", NumberKey{&c.optimizer.lr, NumberKey::Positive}, "learning rate"},
      {"optimizer.norms_first", IntegerKey{&c.optimizer.norms_first, 0, kAny},
       "iterations in which only the norms of a style network learn"},
      {"optimizer.norm_lr", NumberKey{&c.optimizer.norm_lr, NumberKey::Positive},
       "factor of lr for the norms of a style network, where its styles are"},
      {"optimizer.warmup", IntegerKey{&c.optimizer.warmup, 0, kAny},
       "iterations in which lr grows to its full size"},
      {"optimizer.schedule", choice(&c.optimizer.schedule, kScheduleNames),
       "cosine: lr falls to 0 over train.iterations"},
      {"optimizer.decay_every", IntegerKey{&c.optimizer.decay_every, 0, kAny},
       "iterations between two steps of lr; 0 = never"},
      {"optimizer.decay", NumberKey{&c.optimizer.decay, NumberKey::AboveZeroToOne}, "factor of lr per step"},
      {"optimizer.average", NumberKey{&c.optimizer.average, NumberKey::ZeroToBelowOne},
       "of the running average of the weights, which becomes the model, such as 0.999; 0 = the last weights"},
      {"optimizer.weight_decay", NumberKey{&c.optimizer.weight_decay, at_least_0},
       "every step takes lr * weight_decay of every parameter, apart from the gradient"},
      {"optimizer.momentum", NumberKey{&c.optimizer.momentum, NumberKey::ZeroToBelowOne}, "of sgd"},
      {"optimizer.beta1", NumberKey{&c.optimizer.beta1, NumberKey::ZeroToBelowOne},
       "of adam, as the next two"},
      {"optimizer.beta2", NumberKey{&c.optimizer.beta2, NumberKey::ZeroToBelowOne}, ""},
      {"optimizer.eps", NumberKey{&c.optimizer.eps, NumberKey::Positive}, ""},

      {"train.iterations", IntegerKey{&c.train.iterations, 1, kAny}, ""},
      {"train.minutes", NumberKey{&c.train.minutes, at_least_0},
       "of work, trial and all parts of the run together, if they are over sooner; 0 = no limit"},
      {"train.precision",
       choice(&c.train.precision, std::vector<std::string>{"auto", "fp32", "tf32", "bf16"}), ""},
      {"train.checkpoint_every", IntegerKey{&c.train.checkpoint_every, 0, kAny},
       "iterations; 0 = only at the end"},
      {"train.keep_checkpoints", IntegerKey{&c.train.keep_checkpoints, 1, kAny}, "the last so many stay"},
      {"train.preview_every", IntegerKey{&c.train.preview_every, 0, kAny}, "iterations; 0 = never"},
      {"train.log_every", IntegerKey{&c.train.log_every, 1, kAny}, "iterations per line of metrics.jsonl"},
      {"train.gradient_norms_every", IntegerKey{&c.train.gradient_norms_every, 0, kAny},
       "iterations; 0 = never"},
      {"train.out", PathKey{&c.train.out}, "run folder"},
  };
  const auto losses = loss_keys(c.loss);
  keys.insert(std::find_if(keys.begin(), keys.end(),
                           [](const ConfigKey& key) { return key.name.starts_with("depth."); }),
              losses.begin(), losses.end());
  if (c.styles.size() == 1) {
    const auto after = std::find_if(keys.begin(), keys.end(),
                                    [](const ConfigKey& key) { return key.name.starts_with("weights."); });
    const auto style = style_keys(c.styles[0]);
    keys.insert(after, style.begin(), style.end());
  }
  return keys;
}

std::vector<ConfigKey> style_keys(StyleConfig& style) {
  return {{"style.name", TextKey{&style.name}, "\"\" = that of the file"},
          {"style.image", PathKey{&style.image}, ""},
          {"style.size", IntegerKey{&style.size, 0, 16384}, "long side in pixels; 0 = its own size"},
          {"style.weight", NumberKey{&style.weight, NumberKey::Positive}, "factor of its style loss"}};
}

std::string describe_allowed(const ConfigKey& key) {
  return std::visit(
      Overloaded{[](const IntegerKey& k) {
                   return k.highest == kAny
                              ? fmt::format("a whole number of at least {}", k.lowest)
                              : fmt::format("a whole number from {} to {}", k.lowest, k.highest);
                 },
                 [](const NumberKey& k) { return describe_range(k.range); },
                 [](const BoolKey&) { return std::string("true or false"); },
                 [](const ChoiceKey& k) { return "\"" + listed(k.choices, "\" or \"") + "\""; },
                 [](const PathKey& k) {
                   return k.words.empty() ? std::string("a path")
                                          : "a path or \"" + listed(k.words, "\" or \"") + "\"";
                 },
                 [](const TextKey&) { return std::string("text"); },
                 [](const PathListKey&) { return std::string("a list of paths"); },
                 [](const NameListKey&) { return std::string("a list of names"); },
                 [](const NumberListKey&) { return std::string("a list of numbers of at least 0"); }},
      key.target);
}

}  // namespace chiaro
