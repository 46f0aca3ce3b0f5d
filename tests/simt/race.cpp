// Race and uninitialized-read detector of the emulator.
//
// Kernel files are compiled with -fsanitize=thread, which makes the compiler call __tsan_read4(p) and so on
// before every memory access, and the program is linked WITHOUT it, so that the calls land here instead of in
// libtsan. Every element of shared memory, and of buffers given to race_watch(), has a shadow that remembers
// who wrote and read it last and between which barriers. Two accesses by different threads, not both reads
// and not both atomic, are a race
//   * between blocks of one launch: always;
//   * between warps of a block: when no __syncthreads lies between them;
//   * between lanes of a warp: when neither __syncthreads nor __syncwarp lies between them.
// So the verdict does not depend on the order in which the threads happened to run.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "tests/simt/runtime.hpp"

extern "C" const char __executable_start;  // where the program is loaded, from the linker

namespace simt {

namespace {

struct Stamp {  // who accessed an element, and when; block 0: nobody
  std::uint64_t atomic : 1 = 0, warp_barriers : 11 = 0, barriers : 14 = 0, thread : 10 = 0, block : 28 = 0;

  std::uint64_t warp() const { return thread / 32; }
};
static_assert(sizeof(Stamp) == 8);

struct Cell {
  Stamp write, read;
  Stamp read_other_thread;  // the last reader that is not the thread of `read`
  Stamp read_other_warp;    // the last reader that is not in the warp of `read`
};

struct Region {
  std::uintptr_t begin = 0, end = 0;
  std::size_t element = 1;
  bool shared = false;
  std::vector<Cell> cells;
};

struct Finding {
  Position position;
  Stamp other;
  int count = 0;
};

struct Detector {
  std::map<std::uintptr_t, Region> regions;  // by their end
  Region* last = nullptr;
  std::map<std::pair<std::string, void*>, Finding> findings;  // by kind and code address
};
Detector& detector() {
  static Detector instance;
  return instance;
}

Region* region_of(std::uintptr_t address) {
  Detector& d = detector();
  if (d.last && address >= d.last->begin && address < d.last->end) return d.last;
  const auto next = d.regions.upper_bound(address);
  if (next == d.regions.end() || address < next->second.begin) return nullptr;
  return d.last = &next->second;
}

bool conflict(const Stamp& old, const Stamp& now, const Region& region, std::uint64_t launch_begin) {
  if (old.block == 0 || (old.atomic && now.atomic)) return false;
  if (old.block != now.block) return !region.shared && old.block >= launch_begin;
  if (old.thread == now.thread || old.barriers != now.barriers) return false;
  return old.warp() != now.warp() || old.warp_barriers == now.warp_barriers;
}

void report(const char* kind, void* caller, const Position& position, const Stamp& other) {
  Finding& finding = detector().findings[{kind, caller}];
  if (finding.count++ == 0) finding = {position, other, 1};
}

void remember_read(Cell& cell, const Stamp& now, const Region& region, std::uint64_t launch_begin) {
  const Stamp last = cell.read;
  const bool other_block = last.block != now.block;
  if (other_block || last.thread != now.thread) cell.read_other_thread = last;
  if (other_block || last.warp() != now.warp()) {
    // A reader in another block stays dangerous for the whole launch: it is kept.
    const Stamp& kept = cell.read_other_warp;
    if (region.shared || kept.block == now.block || kept.block < launch_begin) cell.read_other_warp = last;
  }
  cell.read = now;
}

enum class Kind { read, write, update };  // update: reads and writes

void access(void* pointer, std::size_t bytes, Kind kind, bool atomic, void* caller) {
  const Position position = simt::position();
  if (position.thread < 0) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(pointer);
  Region* region = region_of(begin);
  if (!region) return;
  Stamp now;
  now.atomic = atomic;
  now.warp_barriers = position.warp_barriers;
  now.barriers = position.barriers;
  now.thread = static_cast<unsigned>(position.thread);
  now.block = position.block;
  const std::size_t first = (begin - region->begin) / region->element;
  const std::size_t last =
      std::min((begin + bytes - 1 - region->begin) / region->element, region->cells.size() - 1);
  for (std::size_t i = first; i <= last; ++i) {
    Cell& cell = region->cells[i];
    const auto clash = [&](const Stamp& old) { return conflict(old, now, *region, position.launch_begin); };
    if (clash(cell.write))
      report(kind == Kind::read ? "write-read race" : "write-write race", caller, position, cell.write);
    else if (kind != Kind::write && region->shared && cell.write.block != now.block)
      report("read of uninitialized shared memory", caller, position, {});
    if (kind == Kind::read) {
      remember_read(cell, now, *region, position.launch_begin);
      continue;
    }
    for (const Stamp* reader : {&cell.read, &cell.read_other_thread, &cell.read_other_warp})
      if (clash(*reader)) {
        report("read-write race", caller, position, *reader);
        break;
      }
    cell.write = now;
  }
}

// "file.cu:123" of the call before `caller`: the innermost frame outside the emulator.
std::string source_line(void* caller) {
  const auto offset = static_cast<const char*>(caller) - 1 - &__executable_start;
  char command[256], line[512];
  std::snprintf(command, sizeof command, "addr2line -i -s -e /proc/%d/exe %#zx 2>&1",
                static_cast<int>(getpid()), static_cast<std::size_t>(offset));
  std::string best;
  if (FILE* pipe = popen(command, "r")) {
    while (std::fgets(line, sizeof line, pipe)) {
      line[std::strcspn(line, " \n")] = 0;
      if (best.empty() || best.rfind("simt.hpp:", 0) == 0) best = line;
    }
    pclose(pipe);
  }
  return best;
}

}  // namespace

bool race_build() {
  return true;
}

void race_watch(const void* data, std::size_t bytes, std::size_t element, bool shared) {
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  detector().regions[begin + bytes] = {begin, begin + bytes, element, shared,
                                       std::vector<Cell>(bytes / element)};
}

void race_forget(const void* data) {
  Detector& d = detector();
  const auto region = d.regions.upper_bound(reinterpret_cast<std::uintptr_t>(data));
  if (region == d.regions.end() || region->second.begin != reinterpret_cast<std::uintptr_t>(data)) return;
  d.last = nullptr;
  d.regions.erase(region);
}

void race_atomic(void* data, std::size_t bytes, void* caller) {
  access(data, bytes, Kind::update, true, caller);
}

std::string race_take_report() {
  struct Line {
    Finding first;
    int count = 0;
  };
  std::map<std::string, Line> lines;  // inlining and unrolling make several addresses of one source line
  for (const auto& [key, finding] : detector().findings) {
    Line& line = lines.try_emplace(key.first + " at " + source_line(key.second), Line{finding}).first->second;
    line.count += finding.count;
  }
  detector().findings.clear();
  std::string text;
  for (const auto& [what, line] : lines) {
    const Position& p = line.first.position;
    const Stamp& other = line.first.other;
    text += (text.empty() ? "simt: " : "\nsimt: ") + what + ": block " +
            std::to_string(p.block - p.launch_begin) + " thread " + std::to_string(p.thread);
    if (other.block != 0) text += " against thread " + std::to_string(other.thread);
    if (other.block != 0 && other.block != p.block) text += " of another block";
    text += ", " + std::to_string(line.count) + " times";
  }
  return text;
}

}  // namespace simt

// --------------------------------------------------------------- what the compiler calls on every access

using simt::Kind;

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

#define CALLER __builtin_return_address(0)
#define READ_WRITE(N)                               \
  void __tsan_read##N(void* p) {                    \
    simt::access(p, N, Kind::read, false, CALLER);  \
  }                                                 \
  void __tsan_write##N(void* p) {                   \
    simt::access(p, N, Kind::write, false, CALLER); \
  }                                                 \
  void __tsan_unaligned_read##N(void* p) {          \
    simt::access(p, N, Kind::read, false, CALLER);  \
  }                                                 \
  void __tsan_unaligned_write##N(void* p) {         \
    simt::access(p, N, Kind::write, false, CALLER); \
  }
READ_WRITE(1)
READ_WRITE(2)
READ_WRITE(4)
READ_WRITE(8)
READ_WRITE(16)
void __tsan_read_range(void* p, std::size_t n) {
  simt::access(p, n, Kind::read, false, CALLER);
}
void __tsan_write_range(void* p, std::size_t n) {
  simt::access(p, n, Kind::write, false, CALLER);
}

void* __tsan_memcpy(void* to, const void* from, std::size_t n) {
  simt::access(const_cast<void*>(from), n, Kind::read, false, CALLER);
  simt::access(to, n, Kind::write, false, CALLER);
  return std::memcpy(to, from, n);
}
void* __tsan_memmove(void* to, const void* from, std::size_t n) {
  simt::access(const_cast<void*>(from), n, Kind::read, false, CALLER);
  simt::access(to, n, Kind::write, false, CALLER);
  return std::memmove(to, from, n);
}
void* __tsan_memset(void* p, int value, std::size_t n) {
  simt::access(p, n, Kind::write, false, CALLER);
  return std::memset(p, value, n);
}

// The C++ library uses atomics in host code of the same files; these only do what they say.
#define ATOMIC(BITS, T)                                                                     \
  T __tsan_atomic##BITS##_load(const volatile T* p, int) {                                  \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                            \
  }                                                                                         \
  void __tsan_atomic##BITS##_store(volatile T* p, T v, int) {                               \
    __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                               \
  }                                                                                         \
  T __tsan_atomic##BITS##_exchange(volatile T* p, T v, int) {                               \
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                     \
  }                                                                                         \
  T __tsan_atomic##BITS##_fetch_add(volatile T* p, T v, int) {                              \
    return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);                                      \
  }                                                                                         \
  int __tsan_atomic##BITS##_compare_exchange_strong(volatile T* p, T* e, T v, int, int) {   \
    return __atomic_compare_exchange_n(p, e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }                                                                                         \
  int __tsan_atomic##BITS##_compare_exchange_weak(volatile T* p, T* e, T v, int, int) {     \
    return __atomic_compare_exchange_n(p, e, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
  }
ATOMIC(8, std::uint8_t)
ATOMIC(32, std::uint32_t)
ATOMIC(64, std::uint64_t)
void __tsan_atomic_thread_fence(int) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
void __tsan_atomic_signal_fence(int) {}

}  // extern "C"
