#include "kernels/base/blocks.hpp"
#include "kernels/norm/batch_norm_training_cuda.hpp"
#include "kernels/norm/batch_norm_training_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

namespace {

namespace training = batch_norm::training;

struct NormCase {
  Shape shape;
  bool relu, residual;
};
const std::vector<NormCase> kCases = {{{2, 5, 7, 3}, true, true},
                                      {{3, 8, 6, 16}, true, false},
                                      {{2, 10, 13, 72}, false, true},
                                      {{1, 2, 3, 5}, false, false}};

template <class T>
struct OnDevice {
  const NormCase& k;
  std::int64_t count = k.shape.count(), channels = k.shape.c;
  std::vector<T> x_values = normal_values<T>(count, 1, 0.5f, 2), residual_values = normal_values<T>(count, 2),
                 dy_values = normal_values<T>(count, 3), old_values = normal_values<T>(count, 4);
  std::vector<float> scale_values = normal_values<float>(channels, 5, 1),
                     offset_values = normal_values<float>(channels, 6);
  DeviceArray<T> x, residual, y, dy, dx, dresidual;
  DeviceArray<float> scale, offset, mean, rstd, running_mean, running_variance, dscale, doffset, workspace;

  OnDevice(const NormCase& k_, std::int64_t shift)
      : k(k_),
        x(x_values, shift),
        residual(residual_values, shift),
        y(count, shift),
        dy(dy_values, shift),
        dx(count, shift),
        dresidual(old_values, shift),
        scale(scale_values),
        offset(offset_values),
        mean(channels),
        rstd(channels),
        running_mean(std::vector<float>(channels, 0.5f)),
        running_variance(std::vector<float>(channels, 2.0f)),
        dscale(channels),
        doffset(channels),
        workspace(std::max(training::cuda::forward_workspace_bytes(k.shape),
                           training::cuda::backward_workspace_bytes(k.shape)) /
                  4) {}

  training::Attributes attributes() const { return {.eps = 1e-5f, .momentum = 0.1f, .relu = k.relu}; }
  void forward() {
    training::cuda::forward(nullptr, {.x = x.view(k.shape),
                                      .scale = scale.data(),
                                      .offset = offset.data(),
                                      .residual = k.residual ? residual.view(k.shape) : TensorView{},
                                      .y = y.view(k.shape),
                                      .mean = mean.data(),
                                      .rstd = rstd.data(),
                                      .running_mean = running_mean.data(),
                                      .running_variance = running_variance.data(),
                                      .workspace = workspace.data(),
                                      .attr = attributes()});
  }
  // dx and parameter gradients overwritten, dresidual added to
  void backward() {
    training::cuda::backward(nullptr,
                             {.x = x.view(k.shape),
                              .y = y.view(k.shape),
                              .scale = scale.data(),
                              .mean = mean.data(),
                              .rstd = rstd.data(),
                              .dy = dy.view(k.shape),
                              .dx = dx.view(k.shape),
                              .dx_mode = GradientMode::Overwrite,
                              .dscale = dscale.data(),
                              .doffset = doffset.data(),
                              .param_mode = GradientMode::Overwrite,
                              .dresidual = dresidual.view(k.shape),
                              .dresidual_mode = k.residual ? GradientMode::Accumulate : GradientMode::Ignore,
                              .workspace = workspace.data(),
                              .attr = attributes()});
  }
  Bits bits() const {
    return Bits() << y << mean << rstd << running_mean << running_variance << dx << dscale << doffset
                  << dresidual;
  }
};

// Results of the plain loops; the mask is that of the output y which is given.
template <class T>
struct Plain {
  using A = Accumulator<T>;
  std::vector<T> y, dx, dresidual;
  std::vector<A> mean, rstd, running_mean, running_variance, dscale, doffset;

  template <class U>
  explicit Plain(const OnDevice<U>& d)
      : y(d.count),
        dx(d.count),
        dresidual(d.count),
        mean(d.channels),
        rstd(d.channels),
        running_mean(d.channels, A(0.5)),
        running_variance(d.channels, A(2)),
        dscale(d.channels),
        doffset(d.channels) {
    const auto x = convert<T>(d.x_values), residual = convert<T>(d.residual_values),
               dy = convert<T>(d.dy_values);
    const auto scale = convert<A>(d.scale_values), offset = convert<A>(d.offset_values);
    training::reference::forward(d.k.shape, x.data(), scale.data(), offset.data(),
                                 d.k.residual ? residual.data() : nullptr, y.data(), mean.data(), rstd.data(),
                                 running_mean.data(), running_variance.data(), d.attributes());
    const auto mask = convert<T>(d.y.host());
    training::reference::backward(d.k.shape, x.data(), mask.data(), scale.data(), mean.data(), rstd.data(),
                                  dy.data(), dx.data(), dscale.data(), doffset.data(), dresidual.data(),
                                  d.attributes());
  }
};

}  // namespace

TEST_CASE_TEMPLATE("batch_norm training cuda: forward and backward against double", T, float, bf16) {
  for (const NormCase& k : kCases)
    for (const std::int64_t shift : {0, 1}) {
      INFO(to_string(k.shape), ", offset ", shift);
      OnDevice<T> d(k, shift);
      d.forward();
      d.backward();
      const Plain<double> exact(d);
      const Plain<T> plain(d);
      const std::int64_t n = k.shape.n * k.shape.pixels();
      const double bound = 1e-15 * double(std::max<std::int64_t>(n, 100));
      check_close(exact.y, d.y.host(), plain.y, n);
      check_close(exact.dx, d.dx.host(), plain.dx, n);
      CHECK(nmse(exact.mean, d.mean.host()) <= bound);
      CHECK(nmse(exact.rstd, d.rstd.host()) <= bound);
      CHECK(nmse(exact.running_mean, d.running_mean.host()) <= bound);
      CHECK(nmse(exact.running_variance, d.running_variance.host()) <= bound);
      CHECK(nmse(exact.dscale, d.dscale.host()) <= bound);
      CHECK(nmse(exact.doffset, d.doffset.host()) <= bound);
      if (k.residual) {
        const auto added = sum_of(exact.dresidual, d.old_values);
        check_close(added, d.dresidual.host(), convert<T>(added), n);
      }
    }
}

TEST_CASE_TEMPLATE("batch_norm training cuda: the same bits under every schedule, every barrier needed", T,
                   float, bf16) {
  for (const NormCase& k : kCases) {
    const auto run = [&] {
      OnDevice<T> d(k, 0);
      d.forward();
      d.backward();
      return d.bits();
    };
    check_every_schedule(run);
    if (k.shape.c == 72) check_barriers_are_needed(run);
  }
}

TEST_CASE("batch_norm training cuda: launches are what the header says") {
  OnDevice<float> d(kCases[0], 0);
  using Names = std::vector<std::string>;
  CHECK(launches_of([&] { d.forward(); }) == Names{"moments", "finish_moments", "batch_norm_apply"});
  CHECK(launches_of([&] { d.backward(); }) ==
        Names{"batch_norm_sums", "instance_norm_finish_sums", "batch_norm_dx"});
}

}  // namespace chiaro::emulated
