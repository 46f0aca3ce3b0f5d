#include "layers/networks/transform_net/banded_transform_net.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <span>

#include "kernels/base/parallel.hpp"
#include "kernels/elementwise/elementwise.hpp"
#include "kernels/elementwise/image_convert.hpp"
#include "kernels/norm/instance_norm.hpp"
#include "kernels/pixel_shuffle/pixel_shuffle.hpp"
#include "layers/packed_weights.hpp"

namespace chiaro {

namespace {

// Raw tensors that live in the arena, and the steps of run() during which they do.
enum Block { kFirst, kHalf, kQuarter, kBranch1, kBranch2, kHalfUp, kLast, kBlocks };
constexpr std::int64_t kBandsPerThread = 6;  // bands of a stage that each thread should have a chance to take

enum Step { kRunFirst, kRunHalf, kRunQuarter, kRunBlocks, kRunHalfUp, kRunLast, kRunOut };

std::int64_t round_up_4(std::int64_t extent) {
  return (extent + 3) / 4 * 4;
}

// Input rows that `rows` output rows of a stage read, borders included.
std::int64_t input_rows(bool up, std::int64_t extent, std::int64_t stride, std::int64_t rows) {
  return up ? rows / 2 + 2 : (rows - 1) * stride + extent;
}

// The first of them, which may lie outside.
std::int64_t first_input_row(bool up, std::int64_t stride, std::int64_t pad, std::int64_t first) {
  return up ? first / 2 - 1 : first * stride - pad;
}

struct RowRange {
  std::int64_t first, rows;
};

// The part of a run of rows that lies in a tensor of the given height. What borders mirror is in it too.
RowRange inside(std::int64_t first, std::int64_t rows, std::int64_t height) {
  const std::int64_t begin = std::max<std::int64_t>(first, 0);
  return {begin, std::min(first + rows, height) - begin};
}

}  // namespace

std::int64_t BandedTransformNet::Layout::total(int threads) const {
  return plan_memory(blocks).arena_bytes + sums_bytes + folded_bytes +
         threads * (scratch_bytes + phases_bytes + raw_bytes + output_bytes + moments_bytes);
}

BandedTransformNet::Layout BandedTransformNet::make_layout(const TransformNet& config, std::int64_t height,
                                                           std::int64_t width, DType dtype, int threads,
                                                           const Options& options) {
  require(config.upsample == Upsample::Nearest,
          "the banded transform network upsamples by nearest neighbor only");
  require(config.rows() == 1 && config.output != OutputRange::Scaled150,
          "the banded transform network runs plain networks only");
  require(height >= kTransformNetMinimumSize && width >= kTransformNetMinimumSize,
          "a picture of {}x{} pixels is too small: at least {}x{} are needed", width, height,
          kTransformNetMinimumSize, kTransformNetMinimumSize);
  const std::int64_t h = round_up_4(height), w = round_up_4(width), k = config.width, bytes = size_of(dtype);
  const std::int64_t full = h * w * k * bytes, half = full / 2, quarter = full / 4;
  Layout layout;
  layout.store_first = layout.store_last = full <= options.store_limit;
  const auto described = stages(config);
  Shape shape{1, h, w, 3};
  for (std::size_t i = 0; i < described.size(); ++i) {
    Stage s{described[i]};
    s.in = shape;
    s.out = {1, s.up ? 2 * shape.h : shape.h / s.stride, s.up ? 2 * shape.w : shape.w / s.stride,
             described[i].out_channels};
    s.pad = s.up ? 1 : s.extent / 2;
    // Bands that fit the cache, and enough of them for every thread; but rows that neighboring bands share
    // are read twice, and those of a tensor that is not stored computed twice.
    const std::int64_t row_bytes =
        (s.in.w + 2 * s.pad) * s.in.c * bytes * (s.up ? 1 : s.stride) / (s.up ? 2 : 1);
    const std::int64_t least = s.is_last() && !layout.store_last ? 32
                               : i == 1 && !layout.store_first   ? 16
                                                                 : 8;
    const std::int64_t share = s.out.h / (kBandsPerThread * threads);
    s.band_rows = std::min(s.out.h, std::max(least, std::min(options.band_bytes / row_bytes, share)) / 2 * 2);
    layout.scratch_bytes = std::max(layout.scratch_bytes, input_rows(s.up, s.extent, s.stride, s.band_rows) *
                                                              (s.in.w + 2 * s.pad) * s.in.c * bytes);
    layout.moments_bytes = std::max(
        layout.moments_bytes, instance_norm::moments_workspace_bytes({1, s.band_rows, s.out.w, s.out.c}));
    layout.sums_bytes = std::max(layout.sums_bytes, s.bands() * 2 * s.out.c * 8);
    if (s.up) {
      layout.phases_bytes =
          std::max(layout.phases_bytes, (s.band_rows / 2 + 8) * (s.in.w + 1) * 4 * s.out.c * bytes);
      layout.folded_bytes = std::max(layout.folded_bytes, 16 * s.out.c * s.in.c * 4);
    }
    shape = s.out;
    layout.stages.push_back(std::move(s));
  }

  layout.blocks.assign(kBlocks, {});
  layout.blocks[kFirst] = {layout.store_first ? full : 0, kRunFirst, kRunHalf};
  layout.blocks[kHalf] = {half, kRunHalf, kRunQuarter};
  layout.blocks[kQuarter] = {quarter, kRunQuarter, kRunHalfUp};
  layout.blocks[kBranch1] = {quarter, kRunBlocks, kRunBlocks};
  layout.blocks[kBranch2] = {quarter, kRunBlocks, kRunBlocks};
  layout.blocks[kHalfUp] = {half, kRunHalfUp, kRunOut};
  layout.blocks[kLast] = {layout.store_last ? full : 0, kRunLast, kRunOut};
  // Rows of a full-resolution tensor that is not stored: those that one band of its consumer reads.
  const Stage& second = layout.stages[1];
  const Stage& out = layout.stages.back();
  if (!layout.store_first) {
    const std::int64_t rows = std::max(input_rows(false, 3, 2, second.band_rows), layout.stages[0].band_rows);
    layout.raw_bytes = std::max(layout.raw_bytes, rows * w * k * bytes);
    layout.scratch_bytes = std::max(layout.scratch_bytes, (rows + 8) * (w + 8) * 3 * bytes);
  }
  if (!layout.store_last) {
    const Stage& up2 = layout.stages[layout.stages.size() - 2];
    const std::int64_t rows = std::max(input_rows(false, 9, 1, out.band_rows) + 2, up2.band_rows);
    layout.raw_bytes = std::max(layout.raw_bytes, rows * w * k * bytes);
    layout.scratch_bytes = std::max(layout.scratch_bytes, (rows / 2 + 3) * (w / 2 + 2) * 2 * k * bytes);
    layout.phases_bytes = std::max(layout.phases_bytes, (rows / 2 + 2) * (w / 2 + 1) * 4 * k * bytes);
  }
  layout.output_bytes = out.band_rows * w * 3 * (4 + 1);
  return layout;
}

std::int64_t BandedTransformNet::estimate_bytes(Context& context, const TransformNet& config,
                                                std::int64_t height, std::int64_t width, DType dtype) {
  const Layout layout = make_layout(config, height, width, dtype, context.threads(), Options{});
  std::int64_t workspace = 0;
  for (const auto& [shape, count] : layout.bands())
    workspace = std::max(workspace, make_plan(context, layout.stages[shape.stage], shape.rows, dtype)
                                        ->workspace_bytes(conv2d::Pass::Forward));
  return layout.total(context.threads()) + context.threads() * workspace;
}

BandedTransformNet::BandedTransformNet(Context& context, ParamStore& store, const TransformNet& config,
                                       std::int64_t height, std::int64_t width, DType dtype, Options options)
    : context_(context),
      store_(store),
      config_(config),
      height_(height),
      width_(width),
      dtype_(dtype),
      layout_(make_layout(config, height, width, dtype, context.threads(), options)),
      plan_(plan_memory(layout_.blocks)),
      arena_(plan_.arena_bytes, "the transform network's activations"),
      sums_(layout_.sums_bytes, "statistics of bands"),
      folded_(layout_.folded_bytes, "folded upsampling weights") {
  bind_parameters();
  make_workers();
}

BandedTransformNet::~BandedTransformNet() = default;

std::int64_t BandedTransformNet::planned_bytes() const {
  std::int64_t bytes = arena_.bytes() + sums_.bytes() + folded_.bytes();
  for (const Worker& worker : workers_) bytes += worker.bytes();
  return bytes;
}

void BandedTransformNet::bind_parameters() {
  const auto find = [&](const std::string& name) -> Param {
    const auto* entry = store_.find(name);
    require(entry != nullptr, "transform network: parameter '{}' is missing", name);
    return {&store_, static_cast<int>(entry - store_.entries().data())};
  };
  for (Stage& s : layout_.stages) {
    s.weight = find(s.conv + ".weight");
    if (s.is_last()) {
      s.bias = find(s.conv + ".bias");
      continue;
    }
    s.gamma = find(s.norm + ".gamma");
    s.beta = find(s.norm + ".beta");
    s.mean.resize(static_cast<std::size_t>(s.out.c));
    s.rstd.resize(static_cast<std::size_t>(s.out.c));
  }
}

std::map<BandedTransformNet::BandShape, std::int64_t> BandedTransformNet::Layout::bands() const {
  std::map<BandShape, std::int64_t> bands;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    bands[{i, stages[i].band_rows}] = stages[i].out.h / stages[i].band_rows;
    if (const std::int64_t rest = stages[i].out.h % stages[i].band_rows) bands[{i, rest}] = 1;
  }
  const auto add_again = [&](std::size_t i, const Stage& consumer) {
    for (std::int64_t first = 0; first < consumer.out.h; first += consumer.band_rows) {
      const std::int64_t rows = std::min(consumer.band_rows, consumer.out.h - first);
      const std::int64_t first_in = first_input_row(consumer.up, consumer.stride, consumer.pad, first);
      const std::int64_t rows_in = input_rows(consumer.up, consumer.extent, consumer.stride, rows);
      ++bands[{i, inside(first_in, rows_in, stages[i].out.h).rows}];
    }
  };
  if (!store_first) add_again(0, stages[1]);
  if (!store_last) add_again(stages.size() - 2, stages.back());
  return bands;
}

std::unique_ptr<conv2d::Plan> BandedTransformNet::make_plan(Context& context, const Stage& s,
                                                            std::int64_t rows, DType dtype) {
  return conv2d::Plan::make(context,
                            {.x = {1, input_rows(s.up, s.extent, s.stride, rows), s.in.w + 2 * s.pad, s.in.c},
                             .k = s.up ? 4 * s.out.c : s.out.c,
                             .r = s.up ? 2 : s.extent,
                             .s = s.up ? 2 : s.extent,
                             .stride = s.stride,
                             .dtype = dtype,
                             .y_dtype = s.is_last() ? DType::F32 : dtype,
                             .bias = s.is_last()},
                            conv2d::Threads::One);
}

// All memory and all plans now, so that run() allocates nothing.
void BandedTransformNet::make_workers() {
  const char* purpose = "a band of the transform network";
  const std::map<BandShape, std::int64_t> bands = layout_.bands();
  for (const auto& [shape, count] : bands)
    work_ += static_cast<double>(count) * layout_.stages[shape.stage].work(shape.rows);
  workers_.resize(static_cast<std::size_t>(context_.threads()));
  for (Worker& worker : workers_) {
    worker.scratch = Buffer(layout_.scratch_bytes, purpose);
    worker.phases = Buffer(layout_.phases_bytes, purpose);
    worker.raw = Buffer(layout_.raw_bytes, purpose);
    worker.output_rows = Buffer(layout_.output_bytes, "a band of the result");
    worker.moments = Buffer(layout_.moments_bytes, "statistics of a band");
    std::int64_t workspace = 0;
    for (const auto& [shape, count] : bands) {
      const Stage& s = layout_.stages[shape.stage];
      auto plan = make_plan(context_, s, shape.rows, dtype_);
      workspace = std::max(workspace, plan->workspace_bytes(conv2d::Pass::Forward));
      worker.plans[{&s, shape.rows}] = std::move(plan);
    }
    worker.workspace = Buffer(workspace, "convolution workspace");
  }
}

// The plans of all workers are alike, so those of the first tell what all of them want.
void BandedTransformNet::pack_weights() {
  for (Stage& s : layout_.stages)
    for (const auto& [key, plan] : workers_.front().plans)
      if (key.first == &s)
        s.packed[key.second] = s.up ? packed_folded_weights(context_, *plan, s.weight, conv2d::Pass::Forward,
                                                            folded_.as<float>())
                                    : packed_weights(context_, *plan, s.weight, conv2d::Pass::Forward);
}

// Writes `rows` rows of the stage's input, from first_row of the picture on (which may lie outside), with
// norm, ReLU and border into the scratch.
void BandedTransformNet::fill_scratch(Worker& worker, const Stage& s, std::int64_t first_row,
                                      std::int64_t rows, const InputRows& input) {
  const std::int64_t width = s.in.w, c = s.in.c, pad = s.pad;
  const bool zero = config_.padding == Padding::Zero;
  const PadMode mode = s.up ? PadMode::Replicate : PadMode::Reflect;
  visit_dtype(dtype_, [&](auto element) {
    using T = decltype(element);
    T* scratch = worker.scratch.as<T>();
    for (std::int64_t i = 0; i < rows; ++i) {
      T* row = scratch + i * (width + 2 * pad) * c;
      const bool outside = first_row + i < 0 || first_row + i >= s.in.h;
      if (zero && outside) {
        std::fill_n(row, (width + 2 * pad) * c, T(0.f));
        continue;
      }
      const std::int64_t y = pad_source(first_row + i, 0, s.in.h, mode);
      T* inner = row + pad * c;
      if (input.picture) {
        const std::uint8_t* source = input.picture + pad_source(y, 0, height_, PadMode::Reflect) * width_ * c;
        for (std::int64_t x = 0; x < width; ++x)
          for (std::int64_t ch = 0; ch < c; ++ch)
            inner[x * c + ch] = T(float(source[pad_source(x, 0, width_, PadMode::Reflect) * c + ch]));
      } else {
        const T* source = static_cast<const T*>(input.data) + (y - input.first_row) * width * c;
        const Shape one_row{1, 1, width, c};
        if (input.normed)
          instance_norm::cpu::apply_rows({.x = {source, dtype_, one_row},
                                          .gamma = input.normed->gamma.value(),
                                          .beta = input.normed->beta.value(),
                                          .mean = input.normed->mean.data(),
                                          .rstd = input.normed->rstd.data(),
                                          .y = {inner, dtype_, one_row},
                                          .relu = input.relu});
        else
          std::copy_n(source, width * c, inner);
      }
      for (std::int64_t j = 0; j < pad; ++j)
        for (const std::int64_t column : {j, width + 2 * pad - 1 - j}) {
          T* target = row + column * c;
          if (zero)
            std::fill_n(target, c, T(0.f));
          else
            std::copy_n(inner + pad_source(column, pad, width, mode) * c, c, target);
        }
    }
  });
}

// Output rows first .. first + rows - 1 of a stage; for an upsampling stage both must be even.
void BandedTransformNet::compute_rows(Worker& worker, const Stage& s, std::int64_t first, std::int64_t rows,
                                      const RowProvider& input, void* output) {
  const std::int64_t first_in = first_input_row(s.up, s.stride, s.pad, first);
  const std::int64_t rows_in = input_rows(s.up, s.extent, s.stride, rows);
  fill_scratch(worker, s, first_in, rows_in, input(worker, first_in, rows_in));
  conv2d::Plan& plan = *worker.plans.at({&s, rows});
  const ConstTensorView x{worker.scratch.data(), dtype_, plan.problem().x};
  const TensorView y{s.up ? worker.phases.data() : output, plan.problem().y_dtype, plan.problem().y()};
  plan.forward(context_, x, s.packed.at(rows), s.bias ? s.bias.value() : nullptr, y, worker.workspace.data());
  if (s.up)
    pixel_shuffle::forward(context_, {.sources = phase_windows<pixel_shuffle::Source>(y, s.out.c),
                                      .y = {output, dtype_, {1, rows, s.out.w, s.out.c}}});
  const std::lock_guard lock(progress_mutex_);
  work_done_ += s.work(rows);
  if (progress_) (*progress_)(std::min(work_done_ / work_, 1.0));
}

void BandedTransformNet::run_stage(Stage& s, const RowProvider& input, void* output) {
  const std::int64_t row_bytes = s.out.w * s.out.c * size_of(dtype_);
  const auto moments_of = [&](std::int64_t band) {
    double* sums = sums_.as<double>() + band * 2 * s.out.c;
    return instance_norm::Moments{.mean = sums, .m2 = sums + s.out.c};
  };
  parallel_shares(context_.threads(), s.bands(), [&](std::int64_t band, int thread) {
    Worker& worker = workers_[static_cast<std::size_t>(thread)];
    const std::int64_t first = band * s.band_rows, rows = std::min(s.band_rows, s.out.h - first);
    void* to = output ? static_cast<std::byte*>(output) + first * row_bytes : worker.raw.data();
    compute_rows(worker, s, first, rows, input, to);
    instance_norm::Moments moments = moments_of(band);
    instance_norm::accumulate_moments(context_, {to, dtype_, {1, rows, s.out.w, s.out.c}}, moments,
                                      worker.moments.data());
  });
  instance_norm::Moments total = moments_of(0);
  for (std::int64_t band = 0; band < s.bands(); ++band) {
    instance_norm::Moments moments = moments_of(band);
    moments.count = std::min(s.band_rows, s.out.h - band * s.band_rows) * s.out.w;
    if (band == 0)
      total.count = moments.count;
    else
      instance_norm::merge_moments(moments, s.out.c, total);
  }
  instance_norm::finish_moments(total, s.out.c, static_cast<float>(config_.norm_eps), s.mean.data(),
                                s.rstd.data());
}

BandedTransformNet::InputRows BandedTransformNet::computed_again(Worker& worker, const Stage& s,
                                                                 const RowProvider& input, std::int64_t first,
                                                                 std::int64_t rows) {
  // Even for an upsampling stage: bands and heights are, and the border of 4 rows of the stage that asks.
  const RowRange needed = inside(first, rows, s.out.h);
  compute_rows(worker, s, needed.first, needed.rows, input, worker.raw.data());
  return {.data = worker.raw.data(), .first_row = needed.first, .normed = &s, .relu = true};
}

void BandedTransformNet::normalize_in_place(const Stage& s, void* data, const void* residual, bool relu) {
  // data = norm(data), or residual = residual + norm(data): the sum replaces the residual.
  void* target = residual ? const_cast<void*>(residual) : data;
  const std::int64_t row_bytes = s.out.w * s.out.c * size_of(dtype_);
  parallel_shares(context_.threads(), s.bands(), [&](std::int64_t band, int) {
    const std::int64_t first = band * s.band_rows;
    const Shape shape{1, std::min(s.band_rows, s.out.h - first), s.out.w, s.out.c};
    const auto rows = [&](const void* tensor) {
      return tensor ? static_cast<const std::byte*>(tensor) + first * row_bytes : nullptr;
    };
    instance_norm::apply_rows(context_, {.x = {rows(data), dtype_, shape},
                                         .gamma = s.gamma.value(),
                                         .beta = s.beta.value(),
                                         .mean = s.mean.data(),
                                         .rstd = s.rstd.data(),
                                         .residual = {rows(residual), dtype_, shape},
                                         .y = {const_cast<std::byte*>(rows(target)), dtype_, shape},
                                         .relu = relu});
  });
}

void BandedTransformNet::write_picture(Stage& s, const RowProvider& input, std::uint8_t* result) {
  const std::int64_t bands =
      (height_ + s.band_rows - 1) / s.band_rows;  // rows beyond the picture are not made
  parallel_shares(context_.threads(), bands, [&](std::int64_t index, int thread) {
    Worker& worker = workers_[static_cast<std::size_t>(thread)];
    const std::int64_t first = index * s.band_rows, rows = std::min(s.band_rows, s.out.h - first);
    float* rows_f32 = worker.output_rows.as<float>();
    compute_rows(worker, s, first, rows, input, rows_f32);
    const TensorView band{rows_f32, DType::F32, {1, rows, s.out.w, 3}};
    if (config_.output == OutputRange::Tanh150) tanh_output_forward(context_, band, band);
    auto* bytes = reinterpret_cast<std::uint8_t*>(rows_f32 + s.band_rows * s.out.w * 3);
    image_convert::to_bytes(context_, band, bytes);
    for (std::int64_t i = 0; i < std::min(rows, height_ - first); ++i)
      std::memcpy(result + (first + i) * width_ * 3, bytes + i * s.out.w * 3, width_ * 3);
  });
}

void BandedTransformNet::run(const std::uint8_t* rgb, std::uint8_t* result, const Progress& progress) {
  work_done_ = 0;
  progress_ = progress ? &progress : nullptr;
  const auto stored = [](const void* data, const Stage* normed, bool relu) -> RowProvider {
    return [=](Worker&, std::int64_t, std::int64_t) {
      return InputRows{.data = data, .normed = normed, .relu = relu};
    };
  };
  const RowProvider picture = [&](Worker&, std::int64_t, std::int64_t) { return InputRows{.picture = rgb}; };
  pack_weights();

  // The first three stages, pairs of a residual block, two that upsample, the last.
  const std::span<Stage> all(layout_.stages);
  Stage &conv1 = all[0], &conv2 = all[1], &conv3 = all[2];
  Stage &up1 = all[all.size() - 3], &up2 = all[all.size() - 2], &out = all.back();
  const auto recomputed = [&](Stage& s, const RowProvider& input) -> RowProvider {
    return [&](Worker& worker, std::int64_t row, std::int64_t rows) {
      return computed_again(worker, s, input, row, rows);
    };
  };
  run_stage(conv1, picture, layout_.store_first ? block(kFirst) : nullptr);
  const RowProvider first =
      layout_.store_first ? stored(block(kFirst), &conv1, true) : recomputed(conv1, picture);
  run_stage(conv2, first, block(kHalf));
  run_stage(conv3, stored(block(kHalf), &conv2, true), block(kQuarter));
  normalize_in_place(conv3, block(kQuarter), nullptr, true);

  const auto blocks = all.subspan(3, all.size() - 6);
  for (std::size_t i = 0; i < blocks.size(); i += 2) {
    Stage &a = blocks[i], &b = blocks[i + 1];
    run_stage(a, stored(block(kQuarter), nullptr, false), block(kBranch1));
    run_stage(b, stored(block(kBranch1), &a, true), block(kBranch2));
    normalize_in_place(b, block(kBranch2), block(kQuarter), false);
  }

  run_stage(up1, stored(block(kQuarter), nullptr, false), block(kHalfUp));
  const RowProvider half = stored(block(kHalfUp), &up1, true);
  run_stage(up2, half, layout_.store_last ? block(kLast) : nullptr);
  const RowProvider last = layout_.store_last ? stored(block(kLast), &up2, true) : recomputed(up2, half);
  write_picture(out, last, result);
}

}  // namespace chiaro
