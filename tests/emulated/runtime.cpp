#include "runtime.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "fiber.h"
#include "races.h"

namespace fastgan {
namespace emulation {

Index thread_index, block_index, block_size, grid_size;
Settings settings;

namespace {

constexpr int kWarpLanes = 32;
constexpr uint32_t kFullWarp = 0xFFFFFFFFu;
constexpr size_t kGuard = 64;
constexpr unsigned char kGuardByte = 0xA5, kFreshByte = 0xFF;

enum class State { kReady, kAtBarrier, kAtWarp, kDone };

struct ThreadOfBlock {
  Fiber fiber;
  State state;
  const char* file;  // of the barrier or shuffle it waits at
  int line;
  uint64_t value;  // for a shuffle
  int source;
};

struct SharedArray {
  const void* site;
  size_t bytes;
  std::unique_ptr<unsigned char[]> memory;  // the array, and the guard behind it
  void* array;
};

struct Launch {
  const char* name;
  Thread thread;
  const void* call;
};

Launch launch;
std::vector<std::unique_ptr<ThreadOfBlock>> threads;
std::vector<SharedArray> shared;
// The next barrier of the block, and of each warp.
races::Meeting next_barrier;
std::vector<races::Meeting> next_warp_barriers;
std::mt19937_64 random_order;
// The order until the next barrier.
std::vector<int> warp_order, lane_order;

void run_thread() { launch.thread(launch.call); }

void draw_order() {
  if (settings.order == 0) return;
  std::shuffle(warp_order.begin(), warp_order.end(), random_order);
  std::shuffle(lane_order.begin(), lane_order.end(), random_order);
}

void wait(State state, const char* file, int line) {
  ThreadOfBlock& self = *threads[thread_index.x];
  self.state = state;
  self.file = file;
  self.line = line;
  Fiber::suspend();
}

ThreadOfBlock& thread_of(int warp, int lane) { return *threads[warp * kWarpLanes + lane]; }

// If all lanes of the warp wait at the same shuffle, exchanges their values and makes them ready.
// Returns whether it did.
bool release_warp(int warp) {
  const ThreadOfBlock& first = thread_of(warp, 0);
  for (int lane = 0; lane < kWarpLanes; ++lane) {
    const ThreadOfBlock& other = thread_of(warp, lane);
    if (other.state != State::kAtWarp || other.line != first.line ||
        std::strcmp(other.file, first.file) != 0) {
      return false;
    }
  }
  uint64_t brought[kWarpLanes];
  for (int lane = 0; lane < kWarpLanes; ++lane) brought[lane] = thread_of(warp, lane).value;
  for (int lane = 0; lane < kWarpLanes; ++lane) {
    ThreadOfBlock& thread = thread_of(warp, lane);
    if (thread.source >= 0 && thread.source < kWarpLanes) thread.value = brought[thread.source];
    thread.state = State::kReady;
  }
  next_warp_barriers[warp] = races::new_meeting();
  return true;
}

// Runs the warp's ready lanes until all wait at a barrier or are done. Returns whether any ran.
bool run_warp(int warp) {
  bool ran = false;
  do {
    for (const int lane : lane_order) {
      ThreadOfBlock& thread = thread_of(warp, lane);
      if (thread.state != State::kReady) continue;
      thread_index = {static_cast<unsigned int>(warp * kWarpLanes + lane), 0, 0};
      thread.fiber.resume();
      if (thread.fiber.done()) thread.state = State::kDone;
      ran = true;
    }
  } while (release_warp(warp));
  return ran;
}

// Called when no thread can run: makes all threads that wait at the barrier ready. Returns false if
// all are done.
bool release_barrier() {
  const ThreadOfBlock* waiting = nullptr;
  int done = -1;
  for (size_t i = 0; i < threads.size(); ++i) {
    const ThreadOfBlock& thread = *threads[i];
    if (thread.state == State::kDone) {
      done = static_cast<int>(i);
      continue;
    }
    if (waiting == nullptr) waiting = &thread;
    if (thread.state != waiting->state || thread.line != waiting->line ||
        std::strcmp(thread.file, waiting->file) != 0) {
      fail("threads wait at %s:%d, thread %zu at %s:%d", waiting->file, waiting->line, i,
           thread.file, thread.line);
    }
  }
  if (waiting == nullptr) return false;
  if (done >= 0) {
    fail("thread %d returned before the barrier at %s:%d", done, waiting->file, waiting->line);
  }
  for (auto& thread : threads) thread->state = State::kReady;
  next_barrier = races::new_meeting();
  draw_order();
  return true;
}

// For ThreadSanitizer: every block gets new stacks and new shared memory, as reuse would look like
// a race. They are allocated before the block's threads start and kept until the launch ends.
constexpr size_t kSharedOfBlock = size_t{48} << 10;
std::vector<std::unique_ptr<ThreadOfBlock>> retired;
std::vector<std::unique_ptr<unsigned char[]>> shared_of_blocks;
size_t shared_bytes = 0;

void renew_memory() {
  for (auto& thread : threads) {
    retired.push_back(std::move(thread));
    thread = std::make_unique<ThreadOfBlock>();
  }
  shared_of_blocks.push_back(std::make_unique<unsigned char[]>(kSharedOfBlock));
  std::memset(shared_of_blocks.back().get(), kFreshByte, kSharedOfBlock);
  shared_bytes = 0;
  shared.reserve(32);
}

void* tsan_shared_array(const void* site, size_t bytes) {
  unsigned char* memory = shared_of_blocks.back().get() + shared_bytes;
  shared_bytes += (bytes + 15) / 16 * 16;
  if (shared_bytes > kSharedOfBlock) fail("expected at most 48 KiB of shared memory");
  shared.push_back({site, bytes, nullptr, memory});
  return memory;
}

void check_shared() {
  if (races::kEnabled) return;
  for (const SharedArray& array : shared) {
    const unsigned char* guard = array.memory.get() + array.bytes;
    if (std::any_of(guard, guard + kGuard, [](unsigned char b) { return b != kGuardByte; })) {
      fail("wrote past a shared array of %zu bytes", array.bytes);
    }
  }
}

void run_block(int64_t index) {
  block_index = {static_cast<unsigned int>(index), 0, 0};
  races::begin_block();
  if (races::kEnabled) renew_memory();
  next_barrier = races::new_meeting();
  for (auto& barrier : next_warp_barriers) barrier = races::new_meeting();
  for (auto& thread : threads) {
    thread->state = State::kReady;
    thread->fiber.start(run_thread);
  }
  draw_order();
  do {
    bool ran;
    do {
      ran = false;
      for (const int warp : warp_order) ran = run_warp(warp) || ran;
    } while (ran);
  } while (release_barrier());
  check_shared();
  shared.clear();
}

}  // namespace

void run_grid(const char* name, Thread thread, const void* call, int64_t blocks, int block) {
  launch = {name, thread, call};
  if (blocks < 1 || blocks > kMostBlocksOfCuda)
    fail("expected a grid of 1 to 2^31 - 1 blocks, got %ld", long{blocks});
  if (block < 1 || block > 1024 || block % kWarpLanes != 0)
    fail("expected a block of whole warps, got %d threads", block);
  block_size = {static_cast<unsigned int>(block), 1, 1};
  grid_size = {static_cast<unsigned int>(blocks), 1, 1};
  while (threads.size() < static_cast<size_t>(block)) {
    threads.push_back(std::make_unique<ThreadOfBlock>());
  }
  threads.resize(block);
  random_order.seed(settings.order);
  warp_order.resize(block / kWarpLanes);
  next_warp_barriers.resize(block / kWarpLanes);
  lane_order.resize(kWarpLanes);
  const auto share = static_cast<__int128>(blocks) * settings.first_element / settings.elements;
  const int64_t first_block = settings.first_block + static_cast<int64_t>(share);
  if (first_block >= blocks) fail("expected a first block below %ld", long{blocks});
  std::vector<int64_t> block_order(blocks - first_block);
  std::iota(warp_order.begin(), warp_order.end(), 0);
  std::iota(lane_order.begin(), lane_order.end(), 0);
  std::iota(block_order.begin(), block_order.end(), first_block);
  if (settings.order != 0) std::shuffle(block_order.begin(), block_order.end(), random_order);
  races::begin_launch();
  for (const int64_t index : block_order) run_block(index);
  races::end_launch();
  retired.clear();
  shared_of_blocks.clear();
}

void barrier(const char* file, int line) {
  const races::Meeting meeting = next_barrier;
  races::come_to(meeting);
  wait(State::kAtBarrier, file, line);
  races::leave(meeting);
}

// A shuffle orders no memory.
uint64_t exchange(uint32_t mask, uint64_t value, int source, const char* file, int line) {
  if (mask != kFullWarp) fail("%s:%d: expected a shuffle of the full warp", file, line);
  ThreadOfBlock& self = *threads[thread_index.x];
  self.value = value;
  self.source = source;
  wait(State::kAtWarp, file, line);
  return self.value;
}

void warp_barrier(uint32_t mask, const char* file, int line) {
  const races::Meeting meeting = next_warp_barriers[thread_index.x / kWarpLanes];
  races::come_to(meeting);
  exchange(mask, 0, lane(), file, line);
  races::leave(meeting);
}

void fence() { races::fence(static_cast<int>(thread_index.x)); }
void atomic_access(const void* address) {
  races::atomic_access(static_cast<int>(thread_index.x), address);
}

int lane() { return static_cast<int>(thread_index.x % kWarpLanes); }

void* shared_array(const void* site, size_t bytes) {
  for (const SharedArray& array : shared) {
    if (array.site == site) return array.array;
  }
  if (races::kEnabled) return tsan_shared_array(site, bytes);
  auto owned = std::make_unique<unsigned char[]>(bytes + kGuard);
  unsigned char* memory = owned.get();
  shared.push_back({site, bytes, std::move(owned), memory});
  std::memset(memory, kFreshByte, bytes);
  std::memset(memory + bytes, kGuardByte, kGuard);
  return memory;
}

void fail(const char* format, ...) {
  std::fprintf(stderr, "%s, block %u of %u: ", launch.name, block_index.x, grid_size.x);
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fputc('\n', stderr);
  std::_Exit(1);  // without destructors, as suspended fibers cannot be cleaned up
}

}  // namespace emulation
}  // namespace fastgan
