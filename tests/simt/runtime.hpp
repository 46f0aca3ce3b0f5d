// The engine of the emulator: one fiber per CUDA thread of a block, blocks one after the other, all in one
// thread of the host.
//
// A barrier or warp collective switches to the next fiber; the last lane of a collective does its work for
// all. Everything that is wrong ends the launch with simt::Error, which says who waits where: a barrier that
// some threads reach at another line or never, a collective whose lanes do not arrive or name different
// masks, a thread that returns before a barrier of its block. After an error the next launch works.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

struct uint3 {
  unsigned x = 0, y = 0, z = 0;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

namespace simt {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A line of kernel source; as a default argument it names the caller's line.
struct Site {
  const char* file = "?";
  int line = 0;
  static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
  bool operator==(const Site& other) const {
    return line == other.line && std::strcmp(file, other.file) == 0;
  }
};

enum class Wait : std::uint8_t { barrier, syncwarp, shuffle, vote, mma };

// What a lane brings to a collective and takes from it.
struct Lane {
  alignas(8) unsigned char value[8];
  alignas(8) unsigned char result[8];
  int argument = 0;  // source lane of a shuffle, predicate of a vote
};

int thread_index();  // of the running thread in its block
inline int lane_index() {
  return thread_index() % 32;
}
Lane& this_lane();

void block_barrier(const Site&);
// Distinct lines of the barriers that were reached since the last call, and one that is left out from now on
// (null for none): how tests plant mistakes in kernels that have none.
std::vector<Site> take_barrier_sites();
void leave_out_barrier(const Site*);
// Lanes that do not exist in the last warp are taken off the mask. exchange(lanes of the warp, mask, site)
// runs once, when all have arrived.
using Exchange = void (*)(Lane* lanes, std::uint32_t mask, const Site&);
void collective(std::uint32_t mask, Wait, const Site&, Exchange);
// Ends the launch from inside a kernel.
[[noreturn]] void fail(const char* who, const char* what, const Site&);

// Shared memory of the running block, filled with 0xFF (NaN, -1) when the block starts. `element` is the
// size of its elements.
void* shared_array(const void* tag, std::size_t bytes, std::size_t element);
void* dynamic_shared(std::size_t element);

struct Launch {
  const char* name;
  dim3 grid, block;
  std::size_t shared_bytes;
  void (*body)(const void*);
  const void* argument;
};
// Throws Error for a grid, block or shared memory that no GPU takes.
void run(const Launch&);
// Names of all launches since the last call.
std::vector<std::string> take_launch_names();

// --- The race detector (race.cpp). Without it these do nothing.
constexpr std::size_t kMaxThreads = 1024;
struct Position {                   // of the running thread
  std::uint64_t block = 0;          // counts every block ever run, from 1
  std::uint64_t launch_begin = 0;   // first block of this launch
  std::uint32_t barriers = 0;       // completed __syncthreads of the block
  std::uint32_t warp_barriers = 0;  // completed __syncwarp of the warp
  int thread = -1;                  // -1 outside a kernel
};
Position position();
bool race_build();
// Report races on this buffer of global memory, whose elements are accessed as wholes.
void race_watch(const void* data, std::size_t bytes, std::size_t element, bool shared = false);
void race_forget(const void* data);
void race_atomic(void* data, std::size_t bytes, void* caller);
std::string race_take_report();  // what the last launch did wrong, one line each; "" for nothing

}  // namespace simt
