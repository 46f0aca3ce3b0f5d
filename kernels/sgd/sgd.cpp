#include "kernels/sgd/sgd.hpp"

#include "kernels/common/error.hpp"

namespace chiaro::sgd {

void step(Context& context, const Hyper& hyper, std::int64_t count, const float* grad, float* param,
          float* velocity) {
  require(count >= 0, "sgd: {} parameters", count);
  require(hyper.momentum >= 0 && hyper.momentum < 1, "sgd: momentum {} must be in [0, 1)", hyper.momentum);
  require(count == 0 || (grad && param && velocity), "sgd: grad, param and velocity must all be given");
  switch (context.device()) {
    case Device::Cpu:
      return cpu::step(static_cast<float>(hyper.lr), static_cast<float>(hyper.momentum), count, grad, param,
                       velocity);
    case Device::Cuda:
      throw Error("sgd: there is no CUDA implementation yet");
  }
}

}  // namespace chiaro::sgd
