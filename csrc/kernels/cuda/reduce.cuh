#pragma once

#include <cstdint>

#include "kernels/cuda/launch.cuh"
#include "kernels/reduction.h"

// Sums over a grid in one launch, in an order that depends on the number of blocks alone: every
// block leaves its sums in memory, and the block that finishes last adds them up. No floating-point
// atomics.

namespace fastgan {

constexpr int kWarp = 32;
static_assert(kThreads == kSumThreads, "the order of sums depends on it");

// The sum over a block's threads, valid in its first one. Every thread of the block calls it.
__device__ inline double block_sum(double value) {
  FASTGAN_SHARED(double, warp_sums, kThreads / kWarp);
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    value += __shfl_down_sync(0xFFFFFFFFu, value, distance);
  }
  __syncthreads();  // whoever still reads the last call's sums
  if (threadIdx.x % kWarp == 0) warp_sums[threadIdx.x / kWarp] = value;
  __syncthreads();
  if (threadIdx.x >= kWarp) return 0.0;
  value = threadIdx.x < kThreads / kWarp ? warp_sums[threadIdx.x] : 0.0;
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    value += __shfl_down_sync(0xFFFFFFFFu, value, distance);
  }
  return value;
}

// Whether this block is the last of the grid to come here, so that what all others wrote before is
// there to be read. The ticket is 0 before the launch and after it.
__device__ inline bool last_block(uint32_t* ticket) {
  FASTGAN_SHARED(bool, is_last, 1);
  if (threadIdx.x == 0) {
    __threadfence();  // this block's sums, before the ticket
    is_last[0] = atomicAdd(ticket, 1u) == gridDim.x - 1;
    if (is_last[0]) atomicExch(ticket, 0u);
    __threadfence();  // the ticket, before the others' sums
  }
  __syncthreads();
  return is_last[0];
}

// Strided by the block's threads, the sum of what the blocks [first, last) left. Valid in the first
// thread.
__device__ inline double sum_of_partials(const double* partials, int64_t first, int64_t last) {
  double sum = 0.0;
  for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x) sum += partials[i];
  return block_sum(sum);
}

}  // namespace fastgan
