#include "races.h"

#ifdef FASTGAN_TSAN

#include <sanitizer/tsan_interface.h>

#include <cstdint>
#include <cstring>

#include "runtime.h"

namespace fastgan {
namespace emulation {
namespace races {
namespace {

// Arrays of fixed size, as ThreadSanitizer would see an allocation inside a thread as a write.
constexpr int kMostMeetings = 1 << 16, kMostThreads = 8000, kMostOfBlock = 1024;
constexpr int kMostAddresses = 8, kMostFences = 4096;

uint64_t meetings[kMostMeetings];  // only their addresses are used
int meeting_count = 0;
void* threads[kMostThreads];
int thread_count = 0;
void* program = nullptr;
Meeting end = nullptr;

// An address of atomic operations, and the fences before each of these.
struct Address {
  const void* address;
  Meeting fences[kMostFences];
  int count;
};
Address addresses[kMostAddresses];
int address_count = 0;

// An atomic operation of a thread: the address's index, and how many of its fences came before.
struct Access {
  int address, fences;
};
// A thread's last fence, and its atomic operations since then.
struct ThreadOfBlock {
  Meeting fence;
  Access accesses[kMostAddresses];
  int count;
};
ThreadOfBlock block[kMostOfBlock];

int check_room(int count, int most) {
  if (count >= most)
    fail("expected at most %d entries in a table of races.cpp; use a smaller case", most);
  return count;
}

}  // namespace

void begin_launch() {
  program = __tsan_get_current_fiber();
  meeting_count = address_count = 0;
  end = new_meeting();
}

// ThreadSanitizer's fibers are destroyed only here. A fiber created after a destruction would reuse
// its number, and ThreadSanitizer would mix up their accesses.
void end_launch() {
  leave(end);
  while (thread_count > 0) __tsan_destroy_fiber(threads[--thread_count]);
}

void begin_block() { std::memset(block, 0, sizeof block); }

void* new_thread() {
  check_room(thread_count, kMostThreads);
  return threads[thread_count++] = __tsan_create_fiber(0);
}

void switch_to(void* thread) {
  __tsan_switch_to_fiber(thread == nullptr ? program : thread, __tsan_switch_to_fiber_no_sync);
}

void thread_ends() { come_to(end); }

Meeting new_meeting() { return &meetings[check_room(meeting_count++, kMostMeetings)]; }
void come_to(Meeting meeting) { __tsan_release(meeting); }
void leave(Meeting meeting) { __tsan_acquire(meeting); }

void fence(int thread) {
  ThreadOfBlock& self = block[thread];
  for (int i = 0; i < self.count; ++i) {
    const Access& access = self.accesses[i];
    for (int k = 0; k < access.fences; ++k) leave(addresses[access.address].fences[k]);
  }
  self.count = 0;
  self.fence = new_meeting();
  come_to(self.fence);
}

void atomic_access(int thread, const void* address) {
  int i = 0;
  while (i < address_count && addresses[i].address != address) ++i;
  if (i == address_count) {
    addresses[check_room(address_count++, kMostAddresses)].address = address;
    addresses[i].count = 0;
  }
  ThreadOfBlock& self = block[thread];
  self.accesses[check_room(self.count++, kMostAddresses)] = {i, addresses[i].count};
  if (self.fence == nullptr) return;
  addresses[i].fences[check_room(addresses[i].count++, kMostFences)] = self.fence;
}

}  // namespace races
}  // namespace emulation
}  // namespace fastgan

#endif
