// A stack that runs a function and can be left and entered again.
//
// On x86-64 a switch is 20 instructions; elsewhere ucontext, tens of times slower. The stack has a guard
// page: an overflow faults instead of corrupting a neighbor. AddressSanitizer is told about every switch.
#pragma once
#include <cstddef>

namespace simt {

class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // Makes the first enter() call body(), which never returns. Does nothing when that has happened already.
  // index: staggers stack tops, so that the stacks of a block do not meet in the same cache sets.
  void prepare(void (*body)(), int index);
  void enter();    // from the scheduler
  void leave();    // from inside: back to the scheduler
  void abandon();  // forgets where it was left; the next prepare() starts anew

 private:
  char* stack_ = nullptr;
  void* saved_ = nullptr;       // stack pointer or context while it does not run
  void* fake_stack_ = nullptr;  // AddressSanitizer's
  bool started_ = false;
};

}  // namespace simt
