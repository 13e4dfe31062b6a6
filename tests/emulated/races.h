#pragma once

// Tells ThreadSanitizer which threads of a grid are ordered by what, so that it sees races that no
// order of fibers would show. Compiled with FASTGAN_TSAN this stands beside objects that are
// compiled with -fsanitize=thread; the runtime itself is not, as its switches would look like
// synchronisation. Without FASTGAN_TSAN all of it does nothing.

namespace fastgan {
namespace emulation {
namespace races {

#ifdef FASTGAN_TSAN

constexpr bool kWatched = true;

// Around a launch. What threads did is ordered before what goes on after end_launch().
void begin_launch();
void end_launch();
void begin_block();
// A thread of its own, ordered after all that the program did before the launch.
void* new_thread();
// Goes on as `thread`; nullptr is the program itself. Orders nothing.
void switch_to(void* thread);
void thread_ends();

// A place where threads meet: who left it is ordered after all who came to it. Of one use.
using Meeting = void*;
Meeting new_meeting();
void come_to(Meeting meeting);
void leave(Meeting meeting);

// As in C++: a fence before an atomic operation, and a fence after a later one on the same address,
// order what is before the first before what is after the second. Neither does so alone.
void fence(int thread);
void atomic_access(int thread, const void* address);

#else

constexpr bool kWatched = false;
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
