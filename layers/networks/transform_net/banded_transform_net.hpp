// The transform network for one picture on a CPU, in bands of rows: what stylizing runs on.
//
// Computes the same function as build_transform_net in evaluation, with a fraction of its memory. A
// convolution reads the raw output of the one before it, a band at a time; norm, ReLU and border are applied
// on the way into a cache-sized scratch, and the statistics for the next norm are gathered from each band of
// output while it is hot. So no normalized or bordered tensor exists in memory, and every raw tensor is
// written once and read once.
//
// A band is the work of one thread, from its scratch to its statistics, and each thread takes the next band
// when it has finished one: threads meet once per convolution, caches are private, and a thread whose core is
// busy with something else takes fewer bands. What is computed does not depend on who computes it.
//
// Two tensors have full resolution and dominate the memory of large pictures: the raw outputs of the first
// and of the last upsampling convolution. Beyond Options::store_limit they are never stored: a first pass
// over their bands gathers statistics, and the pass that consumes them computes them again (about 12 % more
// multiply-adds).
//
// Pictures: (H,W,3) bytes, RGB; H, W >= 16; the result is rounded and clamped to 0..255. Needs upsample =
// nearest and a plain network (style_rows.hpp).
// Deterministic: for a given thread count.
// Source: as transform_net.hpp.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/buffer.hpp"
#include "engine/memory_planner.hpp"
#include "kernels/conv2d/conv2d.hpp"
#include "layers/networks/transform_net/transform_net.hpp"

namespace chiaro {

class BandedTransformNet {
 public:
  struct Options {
    std::int64_t store_limit = 96 << 20;  // bytes of a full-resolution tensor up to which it is stored
    std::int64_t band_bytes =
        512 << 10;  // of the scratch that a convolution reads: about half of a core's L2 cache
  };

  // The store holds the network's values and must outlive this object. Throws for transposed upsampling.
  BandedTransformNet(Context& context, ParamStore& store, const TransformNet& config, std::int64_t height,
                     std::int64_t width, DType dtype, Options options);
  BandedTransformNet(Context& context, ParamStore& store, const TransformNet& config, std::int64_t height,
                     std::int64_t width, DType dtype)
      : BandedTransformNet(context, store, config, height, width, dtype, Options{}) {}
  ~BandedTransformNet();

  // Called after every band, by one thread at a time, with the share of the multiplications that is done,
  // above 0, at most 1.
  using Progress = std::function<void(double)>;

  // rgb and result: height * width * 3 bytes.
  void run(const std::uint8_t* rgb, std::uint8_t* result, const Progress& progress = {});

  // Arena, scratch and workspaces of this object; weights and pictures are not in it.
  std::int64_t planned_bytes() const;

  // The same figure for a size and default options; allocates nothing, but makes the plans once.
  static std::int64_t estimate_bytes(Context& context, const TransformNet& config, std::int64_t height,
                                     std::int64_t width, DType dtype);

 private:
  // One stage for this picture. Extents are those of one picture; `out` is what the next stage sees, after
  // the pixel shuffle of an upsampling stage.
  struct Stage : TransformStage {
    Shape in, out;
    std::int64_t pad = 1;
    std::int64_t band_rows = 0;  // output rows of a full band
    Param weight, bias, gamma, beta;
    std::vector<float> mean, rstd;               // of the raw output, once it was computed
    std::map<std::int64_t, const void*> packed;  // weights for a plan, by output rows; renewed by run()

    std::int64_t bands() const { return (out.h + band_rows - 1) / band_rows; }
    double work(std::int64_t rows) const {  // multiplications
      return static_cast<double>(rows * out.w * out.c) *
             static_cast<double>(in.c * (up ? 4 : extent * extent));
    }
  };
  // What a thread computes with.
  struct Worker {
    Buffer scratch, phases, raw, output_rows, workspace, moments;
    // By stage and output rows.
    std::map<std::pair<const Stage*, std::int64_t>, std::unique_ptr<conv2d::Plan>> plans;

    std::int64_t bytes() const {
      return scratch.bytes() + phases.bytes() + raw.bytes() + output_rows.bytes() + workspace.bytes() +
             moments.bytes();
    }
  };
  // A run of rows that a stage reads: raw output of `normed` on which its norm is still due, a finished
  // tensor, or the picture itself.
  struct InputRows {
    const void* data = nullptr;
    std::int64_t first_row = 0;
    const Stage* normed = nullptr;
    bool relu = false;
    const std::uint8_t* picture = nullptr;
  };
  using RowProvider = std::function<InputRows(Worker&, std::int64_t first, std::int64_t rows)>;
  // A band: which stage, how many output rows.
  struct BandShape {
    std::size_t stage;
    std::int64_t rows;
    auto operator<=>(const BandShape&) const = default;
  };
  // Everything that follows from the sizes alone.
  struct Layout {
    std::vector<Stage> stages;
    bool store_first = false, store_last = false;
    std::vector<MemoryBlock> blocks;
    std::int64_t scratch_bytes = 0, phases_bytes = 0, raw_bytes = 0, output_bytes = 0,
                 moments_bytes = 0;  // a thread's
    std::int64_t sums_bytes = 0, folded_bytes = 0;
    std::int64_t total(int threads) const;            // without the workspaces of convolutions
    std::map<BandShape, std::int64_t> bands() const;  // how many of each shape a run computes
  };
  static Layout make_layout(const TransformNet& config, std::int64_t height, std::int64_t width, DType dtype,
                            int threads, const Options& options);

  void bind_parameters();
  void make_workers();
  static std::unique_ptr<conv2d::Plan> make_plan(Context& context, const Stage& stage, std::int64_t rows,
                                                 DType dtype);
  void pack_weights();
  void fill_scratch(Worker& worker, const Stage& stage, std::int64_t first_row, std::int64_t rows,
                    const InputRows& input);
  void compute_rows(Worker& worker, const Stage& stage, std::int64_t first, std::int64_t rows,
                    const RowProvider& input, void* output);
  // All bands of a stage. The output is stored, or with output = null only its statistics are kept.
  void run_stage(Stage& stage, const RowProvider& input, void* output);
  // Rows of a stage, computed now, clipped to the picture: for stages whose output is not stored.
  InputRows computed_again(Worker& worker, const Stage& stage, const RowProvider& input, std::int64_t first,
                           std::int64_t rows);
  void normalize_in_place(const Stage& stage, void* data, const void* residual, bool relu);
  void write_picture(Stage& stage, const RowProvider& input, std::uint8_t* result);
  void* block(int index) const { return arena_.data() + plan_.offsets[static_cast<std::size_t>(index)]; }

  Context& context_;
  ParamStore& store_;
  TransformNet config_;
  std::int64_t height_, width_;  // of the picture
  DType dtype_;
  Layout layout_;
  MemoryPlan plan_;
  Buffer arena_, sums_, folded_;     // sums_: mean and sum of squared deviations of every band of a stage
  std::vector<Worker> workers_;      // by thread
  double work_ = 0, work_done_ = 0;  // multiplications of a run, and of the one at hand so far
  const Progress* progress_ = nullptr;
  std::mutex progress_mutex_;  // of work_done_, and one call of progress_ at a time
};

}  // namespace chiaro
