#pragma once

// Tells ThreadSanitizer how barriers, fences and atomics order the threads of a grid, so that it
// finds races that no order of fibers shows. With FASTGAN_TSAN, kernel and driver are compiled with
// -fsanitize=thread. The runtime is not, as its switches would look like synchronisation. Without
// FASTGAN_TSAN nothing here does anything.

namespace fastgan {
namespace emulation {
namespace races {

#ifdef FASTGAN_TSAN

constexpr bool kEnabled = true;

// Around a launch. What its threads did is ordered before what follows end_launch().
void begin_launch();
void end_launch();
void begin_block();
// A new thread, ordered after what the program did before the launch.
void* new_thread();
// Continues as `thread`; nullptr is the program itself. This orders nothing.
void switch_to(void* thread);
void thread_ends();

// One use of a barrier: what follows leave() is ordered after everything before any come_to().
using Meeting = void*;
Meeting new_meeting();
void come_to(Meeting meeting);
void leave(Meeting meeting);

// As in C++: a fence before an atomic operation and a fence after a later one on the same address
// together order what is before the first fence before what is after the second.
void fence(int thread);
void atomic_access(int thread, const void* address);

#else

constexpr bool kEnabled = false;
using Meeting = void*;
inline void begin_launch() {}
inline void end_launch() {}
inline void begin_block() {}
inline void* new_thread() { return nullptr; }
inline void switch_to(void*) {}
inline void thread_ends() {}
inline Meeting new_meeting() { return nullptr; }
inline void come_to(Meeting) {}
inline void leave(Meeting) {}
inline void fence(int) {}
inline void atomic_access(int, const void*) {}

#endif

}  // namespace races
}  // namespace emulation
}  // namespace fastgan
