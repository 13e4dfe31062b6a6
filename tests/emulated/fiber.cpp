#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

#include "races.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace fastgan {
namespace emulation {
namespace {

constexpr size_t kPage = 1 << 16;  // the largest page size of any processor
constexpr size_t kStack = 1 << 18;

Fiber* running = nullptr;

}  // namespace

#if defined(__x86_64__)

// Saves the callee-saved registers on the current stack and its pointer in *from, and restores them
// from the stack `to`.
extern "C" void fastgan_switch_stack(void** from, void* to);
__asm__(R"(
.text
.globl fastgan_switch_stack
fastgan_switch_stack:
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
  ret
)");

void Fiber::prepare() {
  // What fastgan_switch_stack() pops: six registers and the address of enter(). The null return
  // address after it keeps the stack aligned.
  void** top = reinterpret_cast<void**>(stack_ + kStack) - 8;
  for (int i = 0; i < 8; ++i) top[i] = nullptr;
  top[6] = reinterpret_cast<void*>(&Fiber::enter);
  context_ = top;
}

void Fiber::to_fiber() { fastgan_switch_stack(&caller_, context_); }
void Fiber::to_caller() { fastgan_switch_stack(&context_, caller_); }

#else

void Fiber::prepare() {
  if (context_ == nullptr) context_ = new ucontext_t, caller_ = new ucontext_t;
  auto* context = static_cast<ucontext_t*>(context_);
  getcontext(context);
  context->uc_stack.ss_sp = stack_;
  context->uc_stack.ss_size = kStack;
  context->uc_link = nullptr;
  makecontext(context, &Fiber::enter, 0);
}

void Fiber::to_fiber() {
  swapcontext(static_cast<ucontext_t*>(caller_), static_cast<ucontext_t*>(context_));
}
void Fiber::to_caller() {
  swapcontext(static_cast<ucontext_t*>(context_), static_cast<ucontext_t*>(caller_));
}

#endif

Fiber::Fiber() {
  void* pages = mmap(nullptr, kStack + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) std::abort();
  stack_ = static_cast<char*>(pages) + kPage;
  if (mprotect(stack_, kStack, PROT_READ | PROT_WRITE) != 0) std::abort();
}

Fiber::~Fiber() {
  munmap(stack_ - kPage, kStack + 2 * kPage);
#if !defined(__x86_64__)
  delete static_cast<ucontext_t*>(context_);
  delete static_cast<ucontext_t*>(caller_);
#endif
}

void Fiber::enter() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &running->caller_stack_, &running->caller_stack_size_);
#endif
  running->body_();
  races::thread_ends();
  running->done_ = true;
  suspend();
  std::abort();  // a fiber that is done is not resumed
}

void Fiber::start(void (*body)()) {
  body_ = body;
  done_ = false;
  fake_stack_ = nullptr;
  tsan_fiber_ = races::new_thread();
  prepare();
}

void Fiber::resume() {
  running = this;
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack_, kStack);
#endif
  races::switch_to(tsan_fiber_);
  to_fiber();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  running = nullptr;
}

void Fiber::suspend() {
  Fiber& self = *running;
#if defined(__SANITIZE_ADDRESS__)
  // Null frees the fake stack of a fiber that is done.
  __sanitizer_start_switch_fiber(self.done_ ? nullptr : &self.fake_stack_, self.caller_stack_,
                                 self.caller_stack_size_);
#endif
  races::switch_to(nullptr);
  self.to_caller();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(self.fake_stack_, &self.caller_stack_, &self.caller_stack_size_);
#endif
}

}  // namespace emulation
}  // namespace fastgan
