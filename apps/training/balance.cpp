#include "apps/training/balance.hpp"

#include <algorithm>
#include <cmath>

#include "apps/training/style_trainer.hpp"
#include "apps/training/training_loop.hpp"
#include "apps/training/training_task.hpp"
#include "engine/data/loader.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

namespace {

constexpr int kRounds = 2, kTrialIterations = 25, kMeasuredBatches = 3;
constexpr double kShareOfTime = 0.2;  // of train.minutes

// The terms whose shares are of the gradient: all but the range, which is absent at first.
std::vector<LossConfig::Term> shared_terms(TrainConfig& config) {
  auto terms = config.loss.terms();
  std::erase_if(terms, [&](const auto& term) { return term.weight == &config.loss.range().weight; });
  return terms;
}

class Trial {
 public:
  // steps: how many there are when no limit of time cuts it short; a step is an iteration, or one term of a
  // batch measured.
  Trial(Context& context, const std::shared_ptr<const PhotoSource>& source, DType dtype,
        const SessionOptions& session, const RunClock& clock, int steps)
      : context_(context),
        source_(source),
        dtype_(dtype),
        session_(session),
        clock_(clock),
        begin_s_(clock.seconds()),
        steps_(steps),
        progress_(steps, 1) {}

  // Trains a network of its own for some iterations, then sets each weight to the term's share over the norm
  // of its unweighted gradient. Does less where it would take more than this part of the trial's time, and
  // nothing where there is no time to train and measure at all.
  void reweigh(TrainConfig& config, int iterations, int batches, double part) {
    if (iterations > 0 && !time_for_a_batch(part)) return;
    progress_.pause();
    StyleTrainer trainer(context_, config, dtype_, session_);
    Loader loader(source_, loader_options(config));
    show();
    std::int64_t step = 1;
    for (; step <= iterations && (step == 1 || time_for_a_batch(part)); ++step) {
      trainer.step(step, loader.next().pixels);
      ++iterations_;
      step_done();
    }
    std::vector<double> norms(trainer.terms().size(), 0.0);
    int measured = 0;
    for (; measured < batches && (measured == 0 || time_for_a_batch(part)); ++measured) {
      const double begin_s = clock_.seconds();
      const auto found =
          trainer.gradient_norms(loader.next().pixels, step + measured, [this] { step_done(); });
      batch_s_ = clock_.seconds() - begin_s;
      for (std::size_t t = 0; t < norms.size(); ++t) norms[t] += found[t] / trainer.terms()[t].weight;
    }
    for (double& norm : norms) norm /= measured;
    for (const auto& term : shared_terms(config)) {
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
    config.loss.range().weight = config.loss.range().share / range_norm(config.data);
    rescale(config);
  }

  // Ends the line of progress.
  void finish() {
    if (done_ == steps_) progress_.show(text(), true);
    progress_.finish_line();
    if (done_ < steps_)
      say(stderr,
          "note: train.minutes leaves the balancing of the losses {}: {} of its {} iterations, so the "
          "shares may come out less exactly\n",
          duration_text(kShareOfTime * clock_.limit()), iterations_, kRounds * kTrialIterations);
  }

 private:
  double left_s(double part) const {
    return begin_s_ + part * kShareOfTime * clock_.limit() - clock_.seconds();
  }
  bool time_for_a_batch(double part) const { return left_s(part) > batch_s_; }

  void step_done() {
    progress_.note(++done_);
    show();
  }
  void show() { progress_.show(text()); }
  std::string text() const {
    return fmt::format("balancing the losses: {} of {} steps, {} left", done_, steps_,
                       progress_.remaining(std::max(left_s(1), 0.0)));
  }

  static double norm_of(const std::string& name, const std::vector<StyleTrainer::Term>& terms,
                        const std::vector<double>& norms) {
    for (std::size_t t = 0; t < terms.size(); ++t)
      if (terms[t].name == name) return norms[t];
    return 0;
  }

  // A common factor changes nothing for Adam, but these are the sizes that people know.
  static void rescale(TrainConfig& config) {
    double factor = 0;
    for (const auto& term : shared_terms(config))
      if (factor == 0 && *term.weight > 0)
        factor = (term.weight == &config.loss.style.weight ? 100 : 1) / *term.weight;
    for (const auto& term : shared_terms(config)) *term.weight *= factor;
    config.loss.range().weight *= factor;
  }

  // Norm of the gradient of the unweighted range term, were every value 10 outside of 0 to 255.
  static double range_norm(const DataConfig& data) {
    const auto values = static_cast<double>(data.batch_size * data.image_size * data.image_size * 3);
    return 2 * 10 / std::sqrt(values);
  }

  Context& context_;
  const std::shared_ptr<const PhotoSource>& source_;
  DType dtype_;
  const SessionOptions& session_;
  const RunClock& clock_;
  double begin_s_, batch_s_ = 0;  // when the trial began; what measuring a batch takes
  int steps_, done_ = 0, iterations_ = 0;
  Progress progress_;
};

}  // namespace

TrainConfig balance_losses(Context& context, const TrainConfig& config,
                           const std::shared_ptr<const PhotoSource>& source, DType dtype,
                           const SessionOptions& session, const RunClock& clock) {
  TrainConfig result = config;
  result.loss.balance = Balance::Weights;
  int terms = 0;
  for (const auto& term : shared_terms(result)) {
    *term.weight = term.share > 0 ? 1 : 0;
    terms += term.share > 0;
  }
  if (terms == 0) throw Error("loss.balance = \"gradient\": every share is 0: there is nothing to train for");
  result.loss.range().weight = result.loss.range().share > 0 ? 1 : 0;
  terms += result.loss.range().share > 0;
  Trial trial(context, source, dtype, session, clock,
              terms + kRounds * (kTrialIterations + terms * kMeasuredBatches));
  trial.reweigh(result, 0, 1, 1);
  for (int round = 1; round <= kRounds; ++round)
    trial.reweigh(result, kTrialIterations, kMeasuredBatches, static_cast<double>(round) / kRounds);
  trial.finish();
  return result;
}

}  // namespace chiaro
