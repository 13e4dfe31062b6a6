#pragma once

#include <cstddef>
#include <cstdint>

// Runs a CUDA grid on one CPU thread: the blocks one after another, the threads of a block as
// fibers that switch at barriers and shuffles. CUDA's names for all this are in emulation.h.

namespace fastgan {
namespace emulation {

struct Index {
  unsigned int x, y, z;
};

extern Index thread_index, block_index, block_size, grid_size;

constexpr int64_t kMostBlocksOfCuda = (int64_t{1} << 31) - 1;

// How the next launches run. The drivers set it.
struct Settings {
  // 0: blocks, warps and lanes run in index order. Else the seed of random priorities, drawn anew
  // at every barrier: a random warp runs as far as it can, then the next one.
  uint64_t order = 0;
  int64_t most_blocks = kMostBlocksOfCuda;  // the limit for a grid, lowered to get small grids
  int64_t more_blocks = 0;                  // added to each grid, without work
  int64_t first_block = 0;                  // the blocks before it do not run
  // The same for a grid that shares out `elements` elements evenly: the blocks before that of
  // `first_element` do not run. 0: all run.
  int64_t first_element = 0, elements = 1;
};
extern Settings settings;

using Thread = void (*)(const void* call);
void run_grid(const char* name, Thread thread, const void* call, int64_t blocks, int threads);

// For the threads of a block. `file` and `line` are the place in the source, for messages.
void barrier(const char* file, int line);
void warp_barrier(uint32_t mask, const char* file, int line);
// The value of lane `source` of the warp; the own value if source is outside 0..31.
uint64_t exchange(uint32_t mask, uint64_t value, int source, const char* file, int line);
int lane();
void fence();
// Called before an atomic operation.
void atomic_access(const void* address);
// The block's array for the declaration `site`, filled with 0xFF when the block starts.
void* shared_array(const void* site, size_t bytes);

// Prints a message with kernel and block and ends the program.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace emulation
}  // namespace fastgan
