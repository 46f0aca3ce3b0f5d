#include "kernels/assign/assign.hpp"
#include "kernels/common/blocks.hpp"
#include "kernels/common/rows.hpp"

namespace chiaro::assign::cpu {

void run(ConstTensorView x, TensorView y, bool accumulate) {
  visit_dtype(x.dtype, [&](auto zx) {
    visit_dtype(y.dtype, [&](auto zy) {
      const auto* from = x.as<decltype(zx)>();
      auto* to = y.as<decltype(zy)>();
      parallel_blocks(x.shape.count(), kElementBlock,
                      [&](std::int64_t, std::int64_t begin, std::int64_t end) {
                        accumulate ? add_run(from + begin, to + begin, end - begin)
                                   : copy_run(from + begin, to + begin, end - begin);
                      });
    });
  });
}

}  // namespace chiaro::assign::cpu
