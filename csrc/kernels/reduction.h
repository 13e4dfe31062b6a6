#pragma once

#include <cstdint>

#include "math/octet.h"

// The order of additions in reductions. It depends only on the number of elements, so the result
// depends neither on the number of threads nor on the GPU.

namespace fastgan {

// CPU: elements of a chunk, which one thread sums.
constexpr int64_t kSumChunk = 8192;

inline int64_t chunks_of(int64_t elements) { return (elements + kSumChunk - 1) / kSumChunk; }

// CUDA: the most doubles that the blocks of a reduction may leave in memory for the last block.
constexpr int64_t kMostPartials = 8192;

// CUDA: the most blocks of a sum, and the threads of a block. 1024 blocks fill today's GPUs several
// times.
constexpr int64_t kMostSumBlocks = 1024;
constexpr int kSumThreads = 256;

// At least one block, as without elements the result is written, too.
inline int64_t sum_blocks(int64_t elements) {
  const int64_t blocks = (octets_of(elements) + kSumThreads - 1) / kSumThreads;
  return blocks < 1 ? 1 : blocks < kMostSumBlocks ? blocks : kMostSumBlocks;
}

}  // namespace fastgan
