#pragma once

#include <cstddef>

// A function that can suspend itself and be resumed, all on one CPU thread. Each fiber has its own
// stack between guard pages. On x86-64 the switch is assembly, which takes a tenth of the time of
// ucontext, which other processors use.

namespace fastgan {
namespace emulation {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // start() prepares a run of `body`; resume() runs it until it suspends itself or returns.
  void start(void (*body)());
  void resume();
  bool done() const { return done_; }
  // Suspends the running fiber, which calls it.
  static void suspend();

 private:
  static void enter();
  void prepare();
  void to_fiber();
  void to_caller();

  char* stack_;
  void (*body_)() = nullptr;
  bool done_ = true;
  void* context_ = nullptr;     // of the suspended fiber
  void* caller_ = nullptr;      // context of resume()'s caller
  void* tsan_fiber_ = nullptr;  // for ThreadSanitizer
  void* fake_stack_ = nullptr;  // for AddressSanitizer, as are the two below
  const void* caller_stack_ = nullptr;
  size_t caller_stack_size_ = 0;
};

}  // namespace emulation
}  // namespace fastgan
