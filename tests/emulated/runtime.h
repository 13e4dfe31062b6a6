#pragma once

#include <cstddef>
#include <cstdint>

// Runs the threads of a CUDA grid on one CPU thread: the blocks one after another, the threads of a
// block as fibers that hand over at barriers and shuffles. The scheduler knows no kernel and no
// CUDA name; emulation.h gives kernels theirs.

namespace fastgan {
namespace emulation {

struct Index {
  unsigned int x, y, z;
};

extern Index thread_index, block_index, block_size, grid_size;

constexpr int64_t kMostBlocksOfCuda = (int64_t{1} << 31) - 1;

// How the next launches run. A test sets it.
struct Settings {
  // 0: blocks, warps and lanes run in the order of their numbers. Else the seed of an order drawn
  // anew at every barrier: a random warp runs as far as it goes, then the next.
  uint64_t order = 0;
  int64_t most_blocks = kMostBlocksOfCuda;  // of a grid, so that a small one can be asked for
  int64_t more_blocks = 0;                  // than a grid needs
  int64_t first_block = 0;                  // the blocks before it are left out
};
extern Settings settings;

using Thread = void (*)(const void* call);
void run_grid(const char* name, Thread thread, const void* call, int64_t blocks, int threads);

// What a thread of a block may call. `file` and `line` name the place in messages.
void barrier(const char* file, int line);
void warp_barrier(uint32_t mask, const char* file, int line);
// The value that lane `source` of the warp brought; sources outside 0..31 give the own one.
uint64_t exchange(uint32_t mask, uint64_t value, int source, const char* file, int line);
int lane();
void fence();
// Comes before an atomic operation.
void atomic_access(const void* address);
// This block's array, one for each `site`; its bytes are 0xFF at first.
void* shared_array(const void* site, size_t bytes);

// Ends the program with a message that names kernel and block.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace emulation
}  // namespace fastgan
