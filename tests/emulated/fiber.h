#pragma once

#include <cstddef>

// Functions that stop in their middle and go on later, all on one CPU thread: each has a stack of
// its own, between pages that nobody may touch. x86-64 switches by hand, which costs a tenth of
// what ucontext, the way of other processors, takes.

namespace fastgan {
namespace emulation {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // From outside: begins `body` anew, or goes on with it, until it suspends itself or returns.
  void start(void (*body)());
  void resume();
  bool done() const { return done_; }
  // From inside of the fiber that runs.
  static void suspend();

 private:
  static void enter();
  void prepare();
  void to_fiber();
  void to_caller();

  char* stack_;
  void (*body_)() = nullptr;
  bool done_ = true;
  void* context_ = nullptr;  // where it stopped
  void* caller_ = nullptr;   // who resumed it
  void* watched_ = nullptr;  // ThreadSanitizer's
  void* fake_stack_ = nullptr;
  const void* caller_stack_ = nullptr;
  size_t caller_stack_size_ = 0;
};

}  // namespace emulation
}  // namespace fastgan
