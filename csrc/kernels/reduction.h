#pragma once

#include <cstdint>

#include "math/octet.h"

// The fixed shape of reductions: results must not depend on the number of threads or on the GPU
// model.

namespace fastgan {

// CPU: elements that one thread sums without another's help.
constexpr int64_t kSumChunk = 8192;

inline int64_t chunks_of(int64_t elements) { return (elements + kSumChunk - 1) / kSumChunk; }

// CUDA: numbers that the blocks of one reduction may leave for the last of them to add up.
constexpr int64_t kMostPartials = 8192;

// CUDA: blocks of one sum, and threads of a block. 1024 fill every GPU of today several times over.
constexpr int64_t kMostSumBlocks = 1024;
constexpr int kSumThreads = 256;

// Where there is nothing to sum, one block still writes the result.
inline int64_t sum_blocks(int64_t elements) {
  const int64_t blocks = (octets_of(elements) + kSumThreads - 1) / kSumThreads;
  return blocks < 1 ? 1 : blocks < kMostSumBlocks ? blocks : kMostSumBlocks;
}

}  // namespace fastgan
