#include "kernels/gemm/gemm.hpp"

#include <cstdio>
#include <span>

#include "kernels/base/blocks.hpp"
#include "kernels/base/build_config.hpp"
#include "kernels/base/say.hpp"
#include "kernels/gemm/gemm_reference.hpp"

namespace chiaro::gemm {

namespace {

struct Impl {
  const char* name;
  std::string (*supports)(const Args&);
  void (*run_tile)(const Args&);
};

std::string always(const Args&) {
  return "";
}

void run_reference_tile(const Args& args) {
  visit_dtype(args.a.dtype, [&](auto a) {
    visit_dtype(args.b.dtype, [&](auto b) {
      visit_dtype(args.c.dtype, [&](auto c) {
        reference::run(args, static_cast<const decltype(a)*>(args.a.data),
                       static_cast<const decltype(b)*>(args.b.data), static_cast<decltype(c)*>(args.c.data));
      });
    });
  });
}

std::span<const Impl> implementations() {
  static constexpr Impl kReference = {"reference", always, run_reference_tile};
  if constexpr (kHaveOneDnn) {
    static constexpr Impl kList[] = {{"onednn", onednn::supports, onednn::run_tile},
                                     {"widened", widened::supports, widened::run_tile},
                                     kReference};
    return kList;
  } else {
    static constexpr Impl kList[] = {kReference};
    return kList;
  }
}

std::string describe(const Args& args) {
  return fmt::format("{}x{}x{} {}{} {}{} to {}", args.m, args.n, args.k, name_of(args.a.dtype),
                     args.a.transposed ? "^T" : "", name_of(args.b.dtype), args.b.transposed ? "^T" : "",
                     name_of(args.c.dtype));
}

// The first entry of the list that can do the call, or the one that CHIARO_IMPL forces.
const Impl& choose(const Args& args) {
  const std::string forced = forced_implementation("gemm");
  const bool log = log_enabled("dispatch");
  std::string names;
  for (const Impl& impl : implementations()) {
    names += names.empty() ? impl.name : fmt::format(", {}", impl.name);
    if (!forced.empty() && forced != impl.name) continue;
    const std::string refusal = impl.supports(args);
    if (log)
      say(stderr, "dispatch: gemm {}: {}{}\n", describe(args), refusal.empty() ? impl.name : "not ", refusal);
    if (refusal.empty()) return impl;
    if (!forced.empty())
      throw Error("CHIARO_IMPL=gemm:{}: {} cannot run: {}", forced, describe(args), refusal);
  }
  throw Error("CHIARO_IMPL=gemm:{}: no such implementation here, expected one of: {}", forced, names);
}

void check_args(const Args& args) {
  require(args.m > 0 && args.n > 0 && args.k > 0, "gemm: sizes {}x{}x{}: all must be positive", args.m,
          args.n, args.k);
  require(args.a.data && args.b.data && args.c.data, "gemm: null pointer for {}",
          !args.a.data   ? "A"
          : !args.b.data ? "B"
                         : "C");
  const auto check_leading = [](const char* name, std::int64_t found, std::int64_t columns) {
    require(found >= columns, "gemm: leading dimension {} of {} is below its {} columns", found, name,
            columns);
  };
  check_leading("A", args.a.leading_dimension, args.a.transposed ? args.m : args.k);
  check_leading("B", args.b.leading_dimension, args.b.transposed ? args.k : args.n);
  check_leading("C", args.c.leading_dimension, args.n);
}

const void* at(const Input& x, std::int64_t element) {
  return static_cast<const char*>(x.data) + element * size_of(x.dtype);
}

}  // namespace

const char* implementation(const Args& args) {
  return choose(args).name;
}

void run(Context& context, const Args& args) {
  check_args(args);
  if constexpr (kHaveCuda)
    if (context.device() == Device::Cuda) {
      const std::string refusal = cublas::supports(args);
      require(refusal.empty(), "gemm {}: {}", describe(args), refusal);
      return cublas::run(context, args);
    }
  const Impl& impl = choose(args);
  constexpr std::int64_t kTile = 256;
  const std::int64_t rows = divide_up(args.m, kTile), columns = divide_up(args.n, kTile);
  parallel_for(rows * columns, [&](std::int64_t tile) {
    const std::int64_t i = tile / columns * kTile, j = tile % columns * kTile;
    Args part = args;
    part.m = std::min(kTile, args.m - i);
    part.n = std::min(kTile, args.n - j);
    part.a.data = at(args.a, args.a.transposed ? i : i * args.a.leading_dimension);
    part.b.data = at(args.b, args.b.transposed ? j * args.b.leading_dimension : j);
    part.c.data =
        static_cast<char*>(args.c.data) + (i * args.c.leading_dimension + j) * size_of(args.c.dtype);
    impl.run_tile(part);
  });
}

}  // namespace chiaro::gemm
