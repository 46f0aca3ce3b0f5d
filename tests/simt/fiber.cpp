#include "tests/simt/fiber.hpp"

#include <sys/mman.h>

#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef __x86_64__
// Saves the callee-saved registers on the current stack, stores its stack pointer in *save and continues on
// the stack `to`. It jumps instead of returning: a return to another fiber's address is mispredicted.
extern "C" void simt_switch(void** save, void* to);
asm(R"(
.text
.type simt_switch,@function
simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size simt_switch, .-simt_switch
)");
#else
#include <ucontext.h>

#include <memory>
#endif

namespace simt {

namespace {

constexpr std::size_t kGuard = 4096;
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kStack = 256 << 10;
#else
constexpr std::size_t kStack = 64 << 10;
#endif

// The scheduler's side of a switch.
void* main_saved = nullptr;
[[maybe_unused]] void* main_fake_stack = nullptr;
[[maybe_unused]] const void* main_bottom = nullptr;
[[maybe_unused]] std::size_t main_size = 0;
void (*first_body)() = nullptr;

void run_body() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, &main_bottom, &main_size);
#endif
  first_body();
}

#ifdef __x86_64__
void* make_context(char* stack, std::size_t top) {
  void** s = reinterpret_cast<void**>(stack + top);
  *--s = nullptr;                             // where a return address would be: aligns the frame
  *--s = reinterpret_cast<void*>(&run_body);  // where simt_switch jumps
  for (int i = 0; i < 6; ++i) *--s = nullptr;
  return s;
}
void switch_context(void** save, void* to) {
  simt_switch(save, to);
}
#else
ucontext_t main_context;
void* make_context(char* stack, std::size_t top) {
  // The context lives at the top of its own stack.
  constexpr std::size_t kReserved = (sizeof(ucontext_t) + 63) / 64 * 64;
  auto* context = ::new (stack + top - kReserved) ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = stack;
  context->uc_stack.ss_size = top - kReserved;
  context->uc_link = nullptr;
  makecontext(context, &run_body, 0);
  return context;
}
void switch_context(void** save, void* to) {
  // `save` is the scheduler's slot when a fiber is entered, and keeps its context otherwise.
  auto* from = static_cast<ucontext_t*>(*save ? *save : &main_context);
  *save = from;
  swapcontext(from, static_cast<ucontext_t*>(to));
}
#endif

}  // namespace

Fiber::~Fiber() {
  if (stack_) munmap(stack_ - kGuard, kStack + kGuard);
}

void Fiber::prepare(void (*body)(), int index) {
  if (started_) return;
  started_ = true;
  if (!stack_) {
    void* memory = mmap(nullptr, kStack + kGuard, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mprotect(memory, kGuard, PROT_NONE);
    stack_ = static_cast<char*>(memory) + kGuard;
  }
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(stack_, kStack);  // frames of a thread that never finished
  fake_stack_ = nullptr;
#endif
  first_body = body;
  saved_ = make_context(stack_, kStack - (index * 320 & 8191));
}

void Fiber::enter() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&main_fake_stack, stack_, kStack);
#endif
  switch_context(&main_saved, saved_);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(main_fake_stack, nullptr, nullptr);
#endif
}

void Fiber::leave() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&fake_stack_, main_bottom, main_size);
#endif
  switch_context(&saved_, main_saved);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(fake_stack_, &main_bottom, &main_size);
#endif
}

void Fiber::abandon() {
  started_ = false;
}

}  // namespace simt
