#include "tests/simt/runtime.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory_resource>
#include <utility>

#include "tests/simt/fiber.hpp"
#include "tests/simt/schedule.hpp"

namespace simt {

namespace {

enum class State : std::uint8_t { ready, at_warp, at_block, done };

struct Thread {
  Fiber fiber;
  uint3 index;
  State state = State::done;
  Wait wait = Wait::barrier;  // what it waits for, where, and with which lanes
  Site site;
  std::uint32_t mask = 0;
  Lane lane;
};

// One shared array, ending where its allocation ends so that AddressSanitizer sees the first byte behind it.
class SharedArray {
 public:
  SharedArray(const void* tag, std::size_t bytes) : tag_(tag), bytes_(bytes) {
    data_ = std::pmr::new_delete_resource()->allocate(bytes_, kAlignment);
    poison();
  }
  SharedArray(SharedArray&& other) noexcept
      : tag_(other.tag_),
        bytes_(other.bytes_),
        data_(std::exchange(other.data_, nullptr)),
        watched_(other.watched_) {}
  ~SharedArray() {
    if (!data_) return;
    race_forget(data_);
    std::pmr::new_delete_resource()->deallocate(data_, bytes_, kAlignment);
  }
  void poison() { std::memset(data_, 0xFF, bytes_); }
  const void* tag() const { return tag_; }
  void* watched(std::size_t element) {
    if (!std::exchange(watched_, true)) race_watch(data_, bytes_, element, true);
    return data_;
  }

 private:
  static constexpr std::size_t kAlignment = 128;
  const void* tag_;
  std::size_t bytes_;
  void* data_ = nullptr;
  bool watched_ = false;
};

struct Runtime {
  std::vector<Thread> threads = std::vector<Thread>(kMaxThreads);
  int count = 0, current = -1;
  Launch launch{};
  std::array<std::uint32_t, 32> arrived{};  // per warp: lanes that wait in a collective
  std::array<std::uint32_t, 32> warp_barriers{};
  std::uint32_t barriers = 0;
  std::uint64_t block = 0, launch_begin = 0, random = 0;
  std::vector<SharedArray> shared;
  std::string error;  // set by a failing thread, thrown by the scheduler
  std::vector<std::string> launch_names;
  std::vector<Site> barrier_sites;
  const Site* left_out = nullptr;
};
Runtime& runtime() {
  static Runtime instance;
  return instance;
}

const char* name_of(Wait wait) {
  constexpr const char* names[] = {"__syncthreads", "__syncwarp", "a shuffle", "a vote", "mma_sync"};
  return names[static_cast<int>(wait)];
}

std::string where(const Site& site) {
  const char* slash = std::strrchr(site.file, '/');
  return std::string(slash ? slash + 1 : site.file) + ":" + std::to_string(site.line);
}

std::string in_block() {
  const Runtime& r = runtime();
  return std::string(" in ") + r.launch.name + ", block (" + std::to_string(blockIdx.x) + "," +
         std::to_string(blockIdx.y) + "," + std::to_string(blockIdx.z) + ") of " + std::to_string(r.count) +
         " threads, schedule " + to_string(current_schedule());
}

void thread_main() {
  Runtime& r = runtime();
  for (;;) {  // a finished fiber waits here to run another thread
    r.launch.body(r.launch.argument);
    r.threads[r.current].state = State::done;
    r.threads[r.current].fiber.leave();
  }
}

std::uint64_t next_random(std::uint64_t& state) {  // splitmix64
  std::uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

bool run_thread(int i) {
  Runtime& r = runtime();
  if (r.threads[i].state != State::ready) return false;
  r.current = i;
  threadIdx = r.threads[i].index;
  r.threads[i].fiber.enter();
  r.current = -1;
  if (!r.error.empty()) throw Error(r.error);
  return true;
}

// Runs every thread of the range that is ready once. False when none was.
bool run_threads(int begin, int end) {
  bool any = false;
  for (int i = begin; i < end; ++i) any |= run_thread(i);
  return any;
}

void run_shuffled() {
  Runtime& r = runtime();
  std::vector<int> active;
  for (int w = 0; w * 32 < r.count; ++w) active.push_back(w);
  while (!active.empty()) {
    const std::uint64_t x = next_random(r.random);
    const std::size_t pick = (x >> 32) % active.size();
    const unsigned a = (x & 31) | 1, b = x >> 5 & 31;  // lane order: l -> a l + b mod 32, a permutation
    bool any = true;
    for (int steps = 1 << (x >> 10 & 7); any && steps > 0; --steps) {  // a warp may get far ahead
      any = false;
      for (unsigned l = 0; l < 32; ++l) {
        const int i = active[pick] * 32 + static_cast<int>((a * l + b) & 31);
        any |= i < r.count && run_thread(i);
      }
    }
    if (!any) {
      active[pick] = active.back();
      active.pop_back();
    }
  }
}

// Runs every thread of the block until none can go on.
void run_until_all_wait() {
  const int count = runtime().count, warps = (count + 31) / 32;
  const Order order = current_schedule().order;
  if (order == Order::shuffle) return run_shuffled();
  if (order == Order::forward) {
    while (run_threads(0, count)) {
    }
    return;
  }
  for (int k = 0; k < warps; ++k) {
    const int warp = order == Order::drain ? k : warps - 1 - k;
    while (run_threads(warp * 32, std::min(warp * 32 + 32, count))) {
    }
  }
}

// What each run of like threads is doing, one line each.
std::string describe_threads(const std::string& headline) {
  const Runtime& r = runtime();
  std::string text = "simt: " + headline + in_block();
  for (int first = 0, end; first < r.count; first = end) {
    const Thread& f = r.threads[first];
    for (end = first + 1; end < r.count; ++end) {
      const Thread& g = r.threads[end];
      if (g.state != f.state) break;
      if (f.state != State::done && (g.wait != f.wait || g.site.line != f.site.line || g.mask != f.mask))
        break;
    }
    text += "\n  threads " + std::to_string(first) + "-" + std::to_string(end - 1);
    text += f.state == State::done ? " have returned"
                                   : std::string(" wait at ") + name_of(f.wait) + " (" + where(f.site) + ")";
    if (f.state == State::at_warp) {
      char lanes[64];
      std::snprintf(lanes, sizeof lanes, ", mask %#x, for lanes %#x", f.mask,
                    f.mask & ~r.arrived[first / 32]);
      text += lanes;
    }
  }
  return text;
}

// Lets the threads at the block barrier go on; false when all have returned.
bool release_barrier() {
  Runtime& r = runtime();
  int waiting = 0;
  const Thread* first = nullptr;
  bool stuck = false, divergent = false;
  for (int i = 0; i < r.count; ++i) {
    const Thread& t = r.threads[i];
    stuck |= t.state == State::at_warp;
    if (t.state != State::at_block) continue;
    ++waiting;
    if (!first) first = &t;
    divergent |= !(t.site == first->site);
  }
  if (stuck) throw Error(describe_threads("deadlock: a warp collective waits for lanes that never arrive"));
  if (divergent) throw Error(describe_threads("divergent barrier: __syncthreads reached at different lines"));
  if (waiting != 0 && waiting != r.count)
    throw Error(describe_threads("__syncthreads after part of the block has returned"));
  ++r.barriers;
  for (int i = 0; i < r.count; ++i)
    if (r.threads[i].state == State::at_block) r.threads[i].state = State::ready;
  return waiting != 0;
}

void run_block() {
  Runtime& r = runtime();
  for (int i = 0; i < r.count; ++i) {
    r.threads[i].fiber.prepare(&thread_main, i);
    r.threads[i].state = State::ready;
  }
  r.arrived.fill(0);
  r.warp_barriers.fill(0);
  r.barriers = 0;
  ++r.block;
  for (SharedArray& array : r.shared) array.poison();
  do run_until_all_wait();
  while (release_barrier());
}

void run_grid() {
  Runtime& r = runtime();
  const Schedule schedule = current_schedule();
  const std::uint64_t count = std::uint64_t{gridDim.x} * gridDim.y * gridDim.z;
  std::vector<std::uint64_t> order(count);
  for (std::uint64_t i = 0; i < count; ++i) order[i] = i;
  if (schedule.order == Order::drain_reverse) std::reverse(order.begin(), order.end());
  if (schedule.order == Order::shuffle)
    for (std::uint64_t i = count; i > 1; --i) std::swap(order[i - 1], order[next_random(r.random) % i]);
  for (const std::uint64_t b : order) {
    blockIdx = {static_cast<unsigned>(b % gridDim.x), static_cast<unsigned>(b / gridDim.x % gridDim.y),
                static_cast<unsigned>(b / gridDim.x / gridDim.y)};
    run_block();
  }
}

// Ends a launch, also after an error, when threads may be stopped halfway.
struct LaunchEnd {
  ~LaunchEnd() {
    Runtime& r = runtime();
    for (int i = 0; i < r.count; ++i)
      if (std::exchange(r.threads[i].state, State::done) != State::done) r.threads[i].fiber.abandon();
    r.shared.clear();
    r.current = -1;
    r.error.clear();
  }
};

}  // namespace

int thread_index() {
  return runtime().current;
}
Lane& this_lane() {
  return runtime().threads[runtime().current].lane;
}

void block_barrier(const Site& site) {
  Runtime& r = runtime();
  if (std::find(r.barrier_sites.begin(), r.barrier_sites.end(), site) == r.barrier_sites.end())
    r.barrier_sites.push_back(site);
  if (r.left_out && *r.left_out == site) return;
  Thread& t = r.threads[r.current];
  t.wait = Wait::barrier;
  t.site = site;
  t.mask = 0;
  t.state = State::at_block;
  t.fiber.leave();
}

std::vector<Site> take_barrier_sites() {
  return std::exchange(runtime().barrier_sites, {});
}
void leave_out_barrier(const Site* site) {
  runtime().left_out = site;
}

void collective(std::uint32_t mask, Wait wait, const Site& site, Exchange exchange) {
  Runtime& r = runtime();
  const int warp = r.current / 32, lane = r.current % 32, existing = r.count - warp * 32;
  if (existing < 32) mask &= (1u << existing) - 1;
  Thread& t = r.threads[r.current];
  if (!(mask >> lane & 1)) fail(name_of(wait), "the calling lane is not in its mask", site);
  t.mask = mask;
  t.wait = wait;
  t.site = site;
  r.arrived[warp] |= 1u << lane;
  if ((r.arrived[warp] & mask) != mask) {
    t.state = State::at_warp;
    return t.fiber.leave();
  }
  Thread* all = &r.threads[warp * 32];
  std::array<Lane, 32> lanes;
  for (int l = 0; l < 32; ++l) {
    if (!(mask >> l & 1)) continue;
    if (all[l].mask != mask || all[l].wait != wait)
      fail(name_of(wait), "lanes meet with different masks or in different collectives", site);
    lanes[l] = all[l].lane;
  }
  if (wait == Wait::syncwarp) ++r.warp_barriers[warp];
  if (exchange) exchange(lanes.data(), mask, site);
  r.arrived[warp] &= ~mask;
  for (int l = 0; l < 32; ++l)
    if (mask >> l & 1) {
      all[l].lane = lanes[l];
      all[l].state = State::ready;
    }
}

void fail(const char* who, const char* what, const Site& site) {
  Runtime& r = runtime();
  r.error = std::string("simt: ") + who + ": " + what + " (" + where(site) + ")" + in_block() + ", thread " +
            std::to_string(r.current);
  r.threads[r.current].fiber.leave();
  std::abort();  // never resumed
}

void* shared_array(const void* tag, std::size_t bytes, std::size_t element) {
  Runtime& r = runtime();
  for (SharedArray& array : r.shared)
    if (array.tag() == tag) return array.watched(element);
  r.shared.emplace_back(tag, bytes);
  return r.shared.back().watched(element);
}

void* dynamic_shared(std::size_t element) {
  Runtime& r = runtime();
  return r.launch.shared_bytes == 0 ? nullptr : shared_array(&r, r.launch.shared_bytes, element);
}

void run(const Launch& launch) {
  Runtime& r = runtime();
  constexpr std::size_t kMaxShared = 227 << 10;  // Hopper
  const dim3 &g = launch.grid, &b = launch.block;
  const std::uint64_t count = std::uint64_t{b.x} * b.y * b.z;
  if (r.current >= 0) fail(launch.name, "a kernel cannot launch a kernel", {});
  if (count == 0 || count > kMaxThreads || b.z > 64 || launch.shared_bytes > kMaxShared || g.x == 0 ||
      g.x > 0x7fffffffu || g.y == 0 || g.y > 65535 || g.z == 0 || g.z > 65535)
    throw Error(std::string("simt: ") + launch.name + ": no GPU takes this grid, block or shared memory");
  r.launch = launch;
  r.launch_names.push_back(launch.name);
  r.count = static_cast<int>(count);
  r.launch_begin = r.block + 1;
  r.random = current_schedule().seed * 0xD1B54A32D192ED03u;
  gridDim = g;
  blockDim = b;
  for (unsigned i = 0; i < count; ++i) r.threads[i].index = {i % b.x, i / b.x % b.y, i / b.x / b.y};
  std::string report;
  try {
    const LaunchEnd end;
    run_grid();
  } catch (const Error& error) {
    report = error.what();
  }
  const std::string races = race_take_report();
  if (!races.empty()) report += (report.empty() ? "" : "\n") + races;
  if (!report.empty()) throw Error(report);
}

std::vector<std::string> take_launch_names() {
  return std::exchange(runtime().launch_names, {});
}

Position position() {
  const Runtime& r = runtime();
  if (r.current < 0) return {};
  return {r.block, r.launch_begin, r.barriers, r.warp_barriers[r.current / 32], r.current};
}

std::string to_string(const Schedule& s) {
  constexpr const char* names[] = {"forward", "drain", "drain_reverse", "shuffle"};
  const std::string name = names[static_cast<int>(s.order)];
  return s.order == Order::shuffle ? name + " " + std::to_string(s.seed) : name;
}

Schedule& current_schedule() {
  static Schedule schedule;
  return schedule;
}

std::vector<Schedule> all_schedules() {
  if (race_build()) return {{Order::forward}};
  return {{Order::forward}, {Order::drain}, {Order::drain_reverse}, {Order::shuffle, 1}, {Order::shuffle, 2}};
}

// Replaced by race.cpp where it is linked.
[[gnu::weak]] bool race_build() {
  return false;
}
[[gnu::weak]] void race_watch(const void*, std::size_t, std::size_t, bool) {}
[[gnu::weak]] void race_forget(const void*) {}
[[gnu::weak]] void race_atomic(void*, std::size_t, void*) {}
[[gnu::weak]] std::string race_take_report() {
  return "";
}

}  // namespace simt
