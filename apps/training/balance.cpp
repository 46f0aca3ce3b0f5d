#include "apps/training/balance.hpp"

#include <array>
#include <cmath>

#include "apps/training/photo_batches.hpp"
#include "apps/training/style_trainer.hpp"
#include "engine/data/loader.hpp"

namespace chiaro {

namespace {

constexpr int kRounds = 2, kTrialIterations = 25, kMeasuredBatches = 3;

struct Term {
  const char* name;
  double share;
  double* weight;
};

std::array<Term, 4> terms_of(TrainConfig& config) {
  return {{{"style", config.loss.style.share, &config.loss.style.weight},
           {"content", config.loss.content.share, &config.loss.content.weight},
           {"depth", config.loss.depth.share, &config.loss.depth.weight},
           {"tv", config.loss.tv_share, &config.loss.tv_weight}}};
}

class Trial {
 public:
  Trial(Context& context, const std::shared_ptr<const PhotoSource>& source, DType dtype,
        const SessionOptions& session)
      : context_(context), source_(source), dtype_(dtype), session_(session) {}

  // Trains a network of its own for some iterations, then sets each weight to the term's share over the norm
  // of its unweighted gradient.
  void reweigh(TrainConfig& config, int iterations, int batches) {
    StyleTrainer trainer(context_, config, dtype_, session_);
    Loader loader(source_, loader_options(config));
    for (int i = 1; i <= iterations; ++i) trainer.step(i, loader.next().pixels);
    std::vector<double> norms(trainer.terms().size(), 0.0);
    for (int i = 0; i < batches; ++i) {
      const auto found = trainer.gradient_norms(loader.next().pixels);
      for (std::size_t t = 0; t < norms.size(); ++t)
        norms[t] += found[t] / (trainer.terms()[t].weight * batches);
    }
    for (const Term& term : terms_of(config)) {
      if (term.share == 0) continue;
      const double norm = norm_of(term.name, trainer.terms(), norms);
      if (!(norm > 0) || !std::isfinite(norm)) {
        throw Error(
            "loss.balance = \"gradient\": the gradient of the {} term has norm {}, so no weight gives it its "
            "share; set loss.{}.share = 0, or loss.balance = \"weights\"",
            term.name, norm, term.name);
      }
      *term.weight = term.share / norm;
    }
    rescale(config);
  }

 private:
  static double norm_of(const std::string& name, const std::vector<StyleTrainer::Term>& terms,
                        const std::vector<double>& norms) {
    for (std::size_t t = 0; t < terms.size(); ++t)
      if (terms[t].name == name) return norms[t];
    return 0;
  }

  // A common factor changes nothing for Adam, but these are the sizes that people know.
  static void rescale(TrainConfig& config) {
    double factor = 0;
    for (const Term& term : terms_of(config))
      if (factor == 0 && *term.weight > 0)
        factor = (term.weight == &config.loss.style.weight ? 100 : 1) / *term.weight;
    for (const Term& term : terms_of(config)) *term.weight *= factor;
  }

  Context& context_;
  const std::shared_ptr<const PhotoSource>& source_;
  DType dtype_;
  const SessionOptions& session_;
};

}  // namespace

TrainConfig balance_losses(Context& context, const TrainConfig& config,
                           const std::shared_ptr<const PhotoSource>& source, DType dtype,
                           const SessionOptions& session) {
  TrainConfig result = config;
  result.loss.balance = "weights";
  bool any = false;
  for (const Term& term : terms_of(result)) {
    *term.weight = term.share > 0 ? 1 : 0;
    any = any || term.share > 0;
  }
  if (!any) throw Error("loss.balance = \"gradient\": every share is 0: there is nothing to train for");
  Trial trial(context, source, dtype, session);
  trial.reweigh(result, 0, 1);
  for (int round = 0; round < kRounds; ++round) trial.reweigh(result, kTrialIterations, kMeasuredBatches);
  return result;
}

}  // namespace chiaro
