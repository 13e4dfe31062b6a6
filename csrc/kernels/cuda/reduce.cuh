#pragma once

#include <cstdint>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tile.cuh"
#include "kernels/reduction.h"

// Sums over a grid in one launch. Every block writes its partial sums to memory, and the block that
// finishes last adds them up. The order of additions depends only on the number of blocks; there
// are no floating-point atomics.

namespace fastgan {

static_assert(kThreads == kSumThreads, "the order of sums depends on it");

// The sum over the block's threads, valid in the first thread. All threads of the block call it.
__device__ inline double block_sum(double value) {
  FASTGAN_SHARED(double, warp_sums, kThreads / kWarp);
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    value += __shfl_down_sync(0xFFFFFFFFu, value, distance);
  }
  __syncthreads();  // threads may still read warp_sums of the previous call
  if (threadIdx.x % kWarp == 0) warp_sums[threadIdx.x / kWarp] = value;
  __syncthreads();
  if (threadIdx.x >= kWarp) return 0.0;
  value = threadIdx.x < kThreads / kWarp ? warp_sums[threadIdx.x] : 0.0;
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    value += __shfl_down_sync(0xFFFFFFFFu, value, distance);
  }
  return value;
}

// Whether this block is the last of the grid to get here. If so, it can read what all other blocks
// wrote before. The ticket is 0 before the launch and after it.
__device__ inline bool last_block(uint32_t* ticket) {
  FASTGAN_SHARED(bool, is_last, 1);
  if (threadIdx.x == 0) {
    __threadfence();  // this block's sums are visible before its ticket
    is_last[0] = atomicAdd(ticket, 1u) == gridDim.x - 1;
    if (is_last[0]) atomicExch(ticket, 0u);
    __threadfence();  // the ticket is read before the other blocks' sums
  }
  __syncthreads();
  return is_last[0];
}

// The sum of the partial sums of blocks [first, last), valid in the first thread.
__device__ inline double sum_of_partials(const double* partials, int64_t first, int64_t last) {
  double sum = 0.0;
  for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x) sum += partials[i];
  return block_sum(sum);
}

}  // namespace fastgan
