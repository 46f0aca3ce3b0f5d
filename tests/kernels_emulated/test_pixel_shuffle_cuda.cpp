#include "kernels/pixel_shuffle/pixel_shuffle_cuda.hpp"

#include <array>
#include <memory>

#include "kernels/pixel_shuffle/pixel_shuffle_reference.hpp"
#include "tests/kernels_emulated/emulated.hpp"

namespace chiaro::emulated {

namespace {

// Four tensors with windows at different places, or one tensor of 4C channels that serves all phases.
struct PixelShuffleCase {
  Shape y;
  bool one_tensor;
};
const std::vector<PixelShuffleCase> kInterleaveCases = {
    {{1, 6, 8, 3}, false}, {{2, 4, 6, 8}, false}, {{1, 8, 4, 16}, true}, {{2, 6, 4, 5}, true}};

struct Phases {
  const PixelShuffleCase& k;
  std::vector<Shape> shapes;
  std::vector<std::array<std::int64_t, 3>> corners;  // row0, col0, channel0 of each phase

  explicit Phases(const PixelShuffleCase& k_) : k(k_) {
    const std::int64_t I = k.y.h / 2, J = k.y.w / 2;
    for (std::int64_t ab = 0; ab < 4; ++ab) {
      if (k.one_tensor)
        corners.push_back({ab / 2, ab % 2, ab * k.y.c});
      else
        corners.push_back({ab, 3 - ab, ab % 2 * k.y.c});
      if (!k.one_tensor || ab == 0)
        shapes.push_back(k.one_tensor ? Shape{k.y.n, I + 1, J + 1, 4 * k.y.c}
                                      : Shape{k.y.n, I + 3, J + 3, 2 * k.y.c});
    }
  }
  std::size_t tensor(int ab) const { return k.one_tensor ? 0 : static_cast<std::size_t>(ab); }
};

}  // namespace

TEST_CASE_TEMPLATE("pixel_shuffle cuda: integers exactly as the plain loops", T, float, bf16) {
  for (const PixelShuffleCase& k : kInterleaveCases)
    for (const bool with_add : {false, true})
      for (const std::int64_t offset : {0, 1}) {
        INFO(to_string(k.y), k.one_tensor ? ", one tensor" : ", four tensors", ", offset ", offset);
        const Phases p(k);
        std::vector<std::vector<T>> data;
        for (std::size_t t = 0; t < p.shapes.size(); ++t)
          data.push_back(integer_values<T>(p.shapes[t].count(), unsigned(t) + 1));
        const auto add = integer_values<T>(k.y.count(), 9), dy = integer_values<T>(k.y.count(), 10);
        std::vector<T> y(k.y.count());
        auto windows = data;  // old contents outside the windows
        std::vector<std::vector<T>> rest;
        for (const auto& d : data) rest.emplace_back(d.size(), T(0.0f));
        std::array<pixel_shuffle::reference::Phase<const T*>, 4> sources;
        std::array<pixel_shuffle::reference::Phase<T*>, 4> targets, zeroed;
        for (int ab = 0; ab < 4; ++ab) {
          const auto& c = p.corners[ab];
          const std::size_t t = p.tensor(ab);
          sources[ab] = {data[t].data(), p.shapes[t], c[0], c[1], c[2]};
          targets[ab] = {windows[t].data(), p.shapes[t], c[0], c[1], c[2]};
          zeroed[ab] = {rest[t].data(), p.shapes[t], c[0], c[1], c[2]};
        }
        pixel_shuffle::reference::forward(sources, with_add ? add.data() : nullptr, y.data(), k.y, with_add);
        pixel_shuffle::reference::backward(dy.data(), targets, k.y);
        pixel_shuffle::reference::backward(dy.data(), zeroed, k.y);

        const auto run = [&](bool zero_rest) {
          std::vector<std::unique_ptr<DeviceArray<T>>> arrays;
          for (const auto& d : data) arrays.push_back(std::make_unique<DeviceArray<T>>(d, offset));
          DeviceArray<T> out(k.y.count(), offset), more(add, offset), gradient(dy, offset);
          pixel_shuffle::ForwardArgs forward{.sources = {},
                                             .add = with_add ? more.view(k.y) : TensorView{},
                                             .y = out.view(k.y),
                                             .relu = with_add};
          pixel_shuffle::BackwardArgs backward{
              .dy = gradient.view(k.y), .targets = {}, .zero_rest = zero_rest};
          for (int ab = 0; ab < 4; ++ab) {
            const auto& c = p.corners[ab];
            const TensorView view = arrays[p.tensor(ab)]->view(p.shapes[p.tensor(ab)]);
            forward.sources[ab] = {view, c[0], c[1], c[2]};
            backward.targets[ab] = {view, c[0], c[1], c[2]};
          }
          pixel_shuffle::cuda::forward(nullptr, forward);
          CHECK(same_bits(out.host(), y));
          const auto names = launches_of([&] { pixel_shuffle::cuda::backward(nullptr, backward); });
          CHECK(names == std::vector<std::string>(
                             zero_rest ? arrays.size() : 1,
                             zero_rest ? "pixel_shuffle_backward_rest" : "pixel_shuffle_backward"));
          Bits bits;
          for (std::size_t t = 0; t < arrays.size(); ++t) {
            CHECK(same_bits(arrays[t]->host(), zero_rest ? rest[t] : windows[t]));
            bits << *arrays[t];
          }
          return bits << out;
        };
        check_every_schedule([&] { return run(false); });
        check_every_schedule([&] { return run(true); });
      }
}

// What the fused pass replaces: the mask in place, the gradient of what was added, then the interleave.
TEST_CASE_TEMPLATE("pixel_shuffle cuda: backward with the ReLU's mask and the sum's gradient", T, float,
                   bf16) {
  for (const PixelShuffleCase& k : kInterleaveCases)
    for (const bool masked : {false, true})
      for (const GradientMode mode :
           {GradientMode::Ignore, GradientMode::Overwrite, GradientMode::Accumulate})
        for (const std::int64_t offset : {0, 1}) {
          INFO(to_string(k.y), k.one_tensor ? ", one tensor" : ", four tensors", ", offset ", offset,
               ", mode ", int(mode), masked ? ", masked" : "");
          const Phases p(k);
          auto y = integer_values<T>(k.y.count(), 1, -3, 3);
          y[3] = T(std::nanf(""));
          const auto dy = integer_values<T>(k.y.count(), 2), old = integer_values<T>(k.y.count(), 3);
          auto d = dy, dadd = old;
          for (std::size_t i = 0; i < d.size(); ++i) {
            if (masked && !(float(y[i]) > 0)) d[i] = T(0.0f);
            if (mode == GradientMode::Overwrite) dadd[i] = d[i];
            if (mode == GradientMode::Accumulate) dadd[i] = T(float(old[i]) + float(d[i]));
          }
          for (const bool zero_rest : {false, true}) {
            std::vector<std::vector<T>> expected;
            for (std::size_t t = 0; t < p.shapes.size(); ++t)
              expected.push_back(zero_rest ? std::vector<T>(p.shapes[t].count(), T(0.0f))
                                           : integer_values<T>(p.shapes[t].count(), unsigned(t) + 4));
            const auto before = expected;
            std::array<pixel_shuffle::reference::Phase<T*>, 4> targets;
            for (int ab = 0; ab < 4; ++ab) {
              const auto& c = p.corners[ab];
              const std::size_t t = p.tensor(ab);
              targets[ab] = {expected[t].data(), p.shapes[t], c[0], c[1], c[2]};
            }
            pixel_shuffle::reference::backward(d.data(), targets, k.y);
            check_every_schedule([&] {
              std::vector<std::unique_ptr<DeviceArray<T>>> arrays;
              for (const auto& b : before)
                arrays.push_back(zero_rest ? std::make_unique<DeviceArray<T>>(std::ssize(b), offset)
                                           : std::make_unique<DeviceArray<T>>(b, offset));
              DeviceArray<T> out(y, offset), gradient(dy, offset), branch(old, offset);
              pixel_shuffle::BackwardArgs args{
                  .dy = gradient.view(k.y), .targets = {}, .zero_rest = zero_rest};
              if (masked) args.y = out.view(k.y);
              if (mode != GradientMode::Ignore) args.dadd = branch.view(k.y);
              args.dadd_mode = mode;
              for (int ab = 0; ab < 4; ++ab) {
                const auto& c = p.corners[ab];
                args.targets[ab] = {arrays[p.tensor(ab)]->view(p.shapes[p.tensor(ab)]), c[0], c[1], c[2]};
              }
              const auto names = launches_of([&] { pixel_shuffle::cuda::backward(nullptr, args); });
              CHECK(names.size() == (zero_rest ? arrays.size() : 1));
              CHECK(same_bits(gradient.host(), dy));
              CHECK(same_bits(branch.host(), dadd));
              Bits bits;
              for (std::size_t t = 0; t < arrays.size(); ++t) {
                CHECK(same_bits(arrays[t]->host(), expected[t]));
                bits << *arrays[t];
              }
              return bits << branch;
            });
          }
        }
}

}  // namespace chiaro::emulated
