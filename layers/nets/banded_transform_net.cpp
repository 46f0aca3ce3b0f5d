#include "layers/nets/banded_transform_net.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/common/parallel.hpp"
#include "kernels/instance_norm/instance_norm.hpp"
#include "kernels/interleave/interleave.hpp"
#include "kernels/picture/picture.hpp"
#include "kernels/tanh_output/tanh_output.hpp"
#include "layers/packed_weights.hpp"

namespace chiaro {

namespace {

// Raw tensors that live in the arena, and the steps of run() during which they do.
enum Block { kFirst, kHalf, kQuarter, kBranch1, kBranch2, kHalfUp, kLast, kBlocks };
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

std::int64_t BandedTransformNet::Layout::total() const {
  return plan_memory(blocks).arena_bytes + scratch_bytes + phases_bytes + raw_bytes + output_bytes +
         moments_bytes + folded_bytes;
}

BandedTransformNet::Layout BandedTransformNet::make_layout(const TransformNetConfig& config,
                                                           std::int64_t height, std::int64_t width,
                                                           DType dtype, const Options& options) {
  require(config.upsample == Upsample::Nearest,
          "the banded transform network upsamples by nearest neighbour only");
  require(height >= kTransformNetMinimumSize && width >= kTransformNetMinimumSize,
          "a picture of {}x{} pixels is too small: at least {}x{} are needed", width, height,
          kTransformNetMinimumSize, kTransformNetMinimumSize);
  const std::int64_t h = round_up_4(height), w = round_up_4(width), k = config.width, bytes = size_of(dtype);
  Layout layout;
  Shape shape{1, h, w, 3};
  const auto add = [&](std::string name, std::int64_t channels, std::int64_t extent, std::int64_t stride,
                       bool up) {
    Stage s;
    s.name = std::move(name);
    s.in = shape;
    s.out = {1, up ? 2 * shape.h : shape.h / stride, up ? 2 * shape.w : shape.w / stride, channels};
    s.extent = extent;
    s.stride = stride;
    s.pad = up ? 1 : extent / 2;
    s.up = up;
    // Wide kernels share few rows between bands, so their bands are higher.
    const std::int64_t row_bytes = (s.in.w + 2 * s.pad) * s.in.c * bytes * (up ? 1 : stride) / (up ? 2 : 1);
    const std::int64_t least = extent == 9 ? 32 : 8;
    s.band_rows = std::min(s.out.h, std::max(least, options.band_bytes / row_bytes) / 2 * 2);
    layout.scratch_bytes = std::max(layout.scratch_bytes, input_rows(up, extent, stride, s.band_rows) *
                                                              (s.in.w + 2 * s.pad) * s.in.c * bytes);
    layout.moments_bytes = std::max(
        layout.moments_bytes,
        instance_norm::moments_workspace_bytes({1, s.band_rows, s.out.w, channels}) + 2 * channels * 8);
    if (up) {
      layout.phases_bytes =
          std::max(layout.phases_bytes, (s.band_rows / 2 + 8) * (s.in.w + 1) * 4 * channels * bytes);
      layout.folded_bytes = std::max(layout.folded_bytes, 16 * channels * s.in.c * 4);
    }
    shape = s.out;
    layout.stages.push_back(std::move(s));
  };
  add("conv1", k, 9, 1, false);
  add("conv2", 2 * k, 3, 2, false);
  add("conv3", 4 * k, 3, 2, false);
  for (std::int64_t i = 1; i <= config.residual_blocks; ++i)
    for (const char* conv : {"conv1", "conv2"}) add(fmt::format("res{}.{}", i, conv), 4 * k, 3, 1, false);
  add("up1", 2 * k, 3, 1, true);
  add("up2", k, 3, 1, true);
  add("out", 3, 9, 1, false);
  layout.stages.back().has_norm = false;

  const std::int64_t full = h * w * k * bytes, half = full / 2, quarter = full / 4;
  layout.store_first = layout.store_last = full <= options.store_limit;
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

std::int64_t BandedTransformNet::estimate_bytes(const TransformNetConfig& config, std::int64_t height,
                                                std::int64_t width, DType dtype) {
  // The convolutions' workspace is known only to their plans. The largest is that of the last one, which
  // keeps a few rows of 27 fp32 channels; the rest is small.
  const std::int64_t workspace = (16 << 20) + 1024 * width;
  return make_layout(config, height, width, dtype, Options{}).total() + workspace;
}

BandedTransformNet::BandedTransformNet(Context& context, ParamStore& store, const TransformNetConfig& config,
                                       std::int64_t height, std::int64_t width, DType dtype, Options options)
    : context_(context),
      store_(store),
      config_(config),
      height_(height),
      width_(width),
      dtype_(dtype),
      layout_(make_layout(config, height, width, dtype, options)),
      plan_(plan_memory(layout_.blocks)),
      arena_(plan_.arena_bytes, "the transform network's activations"),
      scratch_(layout_.scratch_bytes, "a band of the transform network"),
      phases_(layout_.phases_bytes, "a band of the transform network"),
      raw_(layout_.raw_bytes, "a band of the transform network"),
      output_rows_(layout_.output_bytes, "a band of the result"),
      moments_(layout_.moments_bytes, "running statistics"),
      folded_(layout_.folded_bytes, "folded upsampling weights") {
  bind_parameters();
  make_plans();
}

BandedTransformNet::~BandedTransformNet() = default;

std::int64_t BandedTransformNet::planned_bytes() const {
  return arena_.bytes() + scratch_.bytes() + phases_.bytes() + raw_.bytes() + output_rows_.bytes() +
         workspace_.bytes() + moments_.bytes() + folded_.bytes();
}

void BandedTransformNet::bind_parameters() {
  const auto find = [&](const std::string& name) -> Param {
    const auto* entry = store_.find(name);
    require(entry != nullptr, "transform network: parameter '{}' is missing", name);
    return {&store_, static_cast<int>(entry - store_.entries().data())};
  };
  int norm = 0;
  for (Stage& s : layout_.stages) {
    s.weight = find(s.name + ".weight");
    if (!s.has_norm) {
      s.bias = find(s.name + ".bias");
      continue;
    }
    // conv1 -> norm1, res1.conv2 -> res1.norm2, up1 -> norm4: the plain norms are numbered in order.
    const auto dot = s.name.find('.');
    const std::string name =
        dot == s.name.npos ? fmt::format("norm{}", ++norm) : s.name.substr(0, dot) + ".norm" + s.name.back();
    s.gamma = find(name + ".gamma");
    s.beta = find(name + ".beta");
    s.mean.resize(static_cast<std::size_t>(s.out.c));
    s.rstd.resize(static_cast<std::size_t>(s.out.c));
  }
}

// All plans now, so that run() allocates nothing.
void BandedTransformNet::make_plans() {
  for (Stage& s : layout_.stages) {
    band_plan(s, s.band_rows);
    if (const std::int64_t rest = s.out.h % s.band_rows) band_plan(s, rest);
    work_ += static_cast<double>(s.out.h) * s.row_work();
  }
  const auto plan_again = [&](Stage& s, const Stage& consumer) {
    for (std::int64_t first = 0; first < consumer.out.h; first += consumer.band_rows) {
      const std::int64_t rows = std::min(consumer.band_rows, consumer.out.h - first);
      const std::int64_t first_in = first_input_row(consumer.up, consumer.stride, consumer.pad, first);
      const RowRange needed =
          inside(first_in, input_rows(consumer.up, consumer.extent, consumer.stride, rows), s.out.h);
      band_plan(s, needed.rows);
      work_ += static_cast<double>(needed.rows) * s.row_work();
    }
  };
  if (!layout_.store_first) plan_again(stage("conv1"), stage("conv2"));
  if (!layout_.store_last) plan_again(stage("up2"), stage("out"));
}

conv2d::Plan& BandedTransformNet::band_plan(Stage& s, std::int64_t rows) {
  auto& plan = s.plans[rows];
  if (!plan) {
    const Shape band{1, input_rows(s.up, s.extent, s.stride, rows), s.in.w + 2 * s.pad, s.in.c};
    plan = conv2d::Plan::make(context_, {.x = band,
                                         .k = s.up ? 4 * s.out.c : s.out.c,
                                         .r = s.up ? 2 : s.extent,
                                         .s = s.up ? 2 : s.extent,
                                         .stride = s.stride,
                                         .dtype = dtype_,
                                         .y_dtype = s.has_norm ? dtype_ : DType::F32,
                                         .bias = static_cast<bool>(s.bias)});
    if (const auto bytes = plan->workspace_bytes(conv2d::Pass::Forward); bytes > workspace_.bytes())
      workspace_ = Buffer(bytes, "convolution workspace");
  }
  return *plan;
}

BandedTransformNet::Stage& BandedTransformNet::stage(const std::string& name) {
  return *std::find_if(layout_.stages.begin(), layout_.stages.end(),
                       [&](const Stage& s) { return s.name == name; });
}

// Writes `rows` rows of the stage's input, from first_row of the picture on (which may lie outside), with
// norm, ReLU and border into the scratch.
void BandedTransformNet::fill_scratch(const Stage& s, std::int64_t first_row, std::int64_t rows,
                                      const InputRows& input) {
  const std::int64_t width = s.in.w, c = s.in.c, pad = s.pad;
  const bool zero = config_.padding == Padding::Zero;
  const BorderMode mode = s.up ? BorderMode::Replicate : BorderMode::Reflect;
  visit_dtype(dtype_, [&](auto element) {
    using T = decltype(element);
    T* scratch = scratch_.as<T>();
    parallel_for(rows, [&](std::int64_t i) {
      T* row = scratch + i * (width + 2 * pad) * c;
      const bool outside = first_row + i < 0 || first_row + i >= s.in.h;
      if (zero && outside) {
        std::fill_n(row, (width + 2 * pad) * c, T(0.f));
        return;
      }
      const std::int64_t y = border_source(first_row + i, 0, s.in.h, mode);
      T* inner = row + pad * c;
      if (input.picture) {
        const std::uint8_t* source =
            input.picture + border_source(y, 0, height_, BorderMode::Reflect) * width_ * c;
        for (std::int64_t x = 0; x < width; ++x)
          for (std::int64_t ch = 0; ch < c; ++ch)
            inner[x * c + ch] = T(float(source[border_source(x, 0, width_, BorderMode::Reflect) * c + ch]));
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
            std::copy_n(inner + border_source(column, pad, width, mode) * c, c, target);
        }
    });
  });
}

// Output rows first .. first + rows - 1 of a stage; for an upsampling stage both must be even.
void BandedTransformNet::compute_rows(Stage& s, std::int64_t first, std::int64_t rows,
                                      const RowProvider& input, void* output) {
  const std::int64_t first_in = first_input_row(s.up, s.stride, s.pad, first);
  const std::int64_t rows_in = input_rows(s.up, s.extent, s.stride, rows);
  fill_scratch(s, first_in, rows_in, input(first_in, rows_in));
  conv2d::Plan& plan = band_plan(s, rows);
  const ConstTensorView x{scratch_.data(), dtype_, plan.problem().x};
  const void* packed =
      s.up ? packed_folded_weights(context_, plan, s.weight, conv2d::Pass::Forward, folded_.as<float>())
           : packed_weights(context_, plan, s.weight, conv2d::Pass::Forward);
  const TensorView y{s.up ? phases_.data() : output, plan.problem().y_dtype, plan.problem().y()};
  plan.forward(context_, x, packed, s.bias ? s.bias.value() : nullptr, y, workspace_.data());
  if (s.up)
    interleave::forward(context_, {.sources = phase_windows<interleave::Source>(y, s.out.c),
                                   .y = {output, dtype_, {1, rows, s.out.w, s.out.c}}});
  work_done_ += static_cast<double>(rows) * s.row_work();
  if (progress_) (*progress_)(std::min(work_done_ / work_, 1.0));
}

void BandedTransformNet::run_stage(Stage& s, const RowProvider& input, void* output) {
  const std::int64_t row_bytes = s.out.w * s.out.c * size_of(dtype_);
  double* sums = moments_.as<double>();
  instance_norm::Moments moments{.mean = sums, .m2 = sums + s.out.c};
  void* workspace = sums + 2 * s.out.c;
  for (std::int64_t first = 0; first < s.out.h; first += s.band_rows) {
    const std::int64_t rows = std::min(s.band_rows, s.out.h - first);
    void* band = output ? static_cast<std::byte*>(output) + first * row_bytes : raw_.data();
    compute_rows(s, first, rows, input, band);
    instance_norm::accumulate_moments(context_, {band, dtype_, {1, rows, s.out.w, s.out.c}}, moments,
                                      workspace);
  }
  instance_norm::finish_moments(moments, s.out.c, static_cast<float>(config_.norm_eps), s.mean.data(),
                                s.rstd.data());
}

BandedTransformNet::InputRows BandedTransformNet::computed_again(Stage& s, const RowProvider& input,
                                                                 std::int64_t first, std::int64_t rows) {
  // Even for an upsampling stage: bands and heights are, and the border of 4 rows of the stage that asks.
  const RowRange needed = inside(first, rows, s.out.h);
  compute_rows(s, needed.first, needed.rows, input, raw_.data());
  return {.data = raw_.data(), .first_row = needed.first, .normed = &s, .relu = true};
}

void BandedTransformNet::normalize_in_place(const Stage& s, void* data, const void* residual, bool relu) {
  // data = norm(data), or residual = residual + norm(data): the sum replaces the residual.
  void* target = residual ? const_cast<void*>(residual) : data;
  instance_norm::apply_rows(context_, {.x = {data, dtype_, s.out},
                                       .gamma = s.gamma.value(),
                                       .beta = s.beta.value(),
                                       .mean = s.mean.data(),
                                       .rstd = s.rstd.data(),
                                       .residual = {residual, dtype_, s.out},
                                       .y = {target, dtype_, s.out},
                                       .relu = relu});
}

void BandedTransformNet::write_picture(Stage& s, const RowProvider& input, std::uint8_t* result) {
  float* rows_f32 = output_rows_.as<float>();
  for (std::int64_t first = 0; first < height_; first += s.band_rows) {
    const std::int64_t rows = std::min(s.band_rows, s.out.h - first);
    compute_rows(s, first, rows, input, rows_f32);
    const TensorView band{rows_f32, DType::F32, {1, rows, s.out.w, 3}};
    if (config_.output == OutputRange::Tanh150) tanh_output::forward(context_, band, band);
    auto* bytes = reinterpret_cast<std::uint8_t*>(rows_f32 + s.band_rows * s.out.w * 3);
    picture::to_bytes(context_, band, bytes);
    for (std::int64_t i = 0; i < std::min(rows, height_ - first); ++i)
      std::memcpy(result + (first + i) * width_ * 3, bytes + i * s.out.w * 3, width_ * 3);
  }
}

void BandedTransformNet::run(const std::uint8_t* rgb, std::uint8_t* result, const Progress& progress) {
  work_done_ = 0;
  progress_ = progress ? &progress : nullptr;
  const auto stored = [](const void* data, const Stage* normed, bool relu) -> RowProvider {
    return
        [=](std::int64_t, std::int64_t) { return InputRows{.data = data, .normed = normed, .relu = relu}; };
  };
  const RowProvider picture = [&](std::int64_t, std::int64_t) { return InputRows{.picture = rgb}; };

  Stage& conv1 = stage("conv1");
  run_stage(conv1, picture, layout_.store_first ? block(kFirst) : nullptr);
  const RowProvider first =
      layout_.store_first ? stored(block(kFirst), &conv1, true) : [&](std::int64_t row, std::int64_t rows) {
        return computed_again(conv1, picture, row, rows);
      };
  Stage& conv2 = stage("conv2");
  run_stage(conv2, first, block(kHalf));
  Stage& conv3 = stage("conv3");
  run_stage(conv3, stored(block(kHalf), &conv2, true), block(kQuarter));
  normalize_in_place(conv3, block(kQuarter), nullptr, true);

  for (std::int64_t i = 1; i <= config_.residual_blocks; ++i) {
    Stage& a = stage(fmt::format("res{}.conv1", i));
    Stage& b = stage(fmt::format("res{}.conv2", i));
    run_stage(a, stored(block(kQuarter), nullptr, false), block(kBranch1));
    run_stage(b, stored(block(kBranch1), &a, true), block(kBranch2));
    normalize_in_place(b, block(kBranch2), block(kQuarter), false);
  }

  Stage& up1 = stage("up1");
  run_stage(up1, stored(block(kQuarter), nullptr, false), block(kHalfUp));
  Stage& up2 = stage("up2");
  const RowProvider half = stored(block(kHalfUp), &up1, true);
  run_stage(up2, half, layout_.store_last ? block(kLast) : nullptr);
  const RowProvider last =
      layout_.store_last ? stored(block(kLast), &up2, true) : [&](std::int64_t row, std::int64_t rows) {
        return computed_again(up2, half, row, rows);
      };
  write_picture(stage("out"), last, result);
}

}  // namespace chiaro
