// Weights out of shares: loss.balance = "gradient".
//
// The terms of the loss share no scale, so raw weights say little. Here the user says how much of the
// gradient each term shall have; the share of a term is the L2 norm of its gradient with respect to the
// generated pictures, over the sum of all terms' norms. The norms of a network that has learned nothing say
// nothing about a trained one (the style term's falls by orders of magnitude), so they are taken in a trial:
// weights from the norms of the first batch, kTrialIterations steps of Adam with these, then weights from the
// norms of the next kMeasuredBatches batches, twice. The run itself begins afresh with the weights that came
// out.
//
// The range term is often 0: nothing lies outside of 0 to 255, and no batch tells its gradient. Its share is
// that of the gradient which it would have if every value were 10 outside.
//
// Where the run has a limit of time, the trial ends its steps, and then its measurements, when a fifth of
// that has gone by; each of the two rounds has half of it. At least the first batch is measured. So the
// weights of such a trial depend on the speed of the machine; whoever wants them again takes them from the
// run's config.toml.
#pragma once
#include <memory>

#include "apps/training/config.hpp"
#include "apps/training/training_loop.hpp"
#include "engine/data/photo_source.hpp"
#include "engine/session_plan.hpp"
#include "kernels/base/context.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro {

// The configuration with its weights replaced, terms of share 0 switched off, and balance = "weights". Scaled
// so that the style weight is 100, or, without a style term, the first weight is 1. Shares need not add up
// to 1. Shows its progress, and says so when the clock cut it short; otherwise deterministic.
// Errors: no share above 0, a term whose gradient vanishes, or is not finite.
TrainConfig balance_losses(Context& context, const TrainConfig& config,
                           const std::shared_ptr<const PhotoSource>& source, DType dtype,
                           const SessionOptions& session, const RunClock& clock);

}  // namespace chiaro
