#pragma once

#include <cstdint>

#include "kernels/column_layout.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tile.cuh"

// A TEAM is 4, 8, 16 or 32 adjacent lanes of a warp that share a task: a segment of a row. Lane i
// works on columns i, i + size, and so on, so neighbouring lanes read neighbouring memory. Short
// segments, which most are, leave few lanes without work.

namespace fastgan {

// The smallest size that holds a segment of mean length.
inline int team_size(const ColumnLayout& layout) {
  int size = 4;
  while (size < kWarp && size * layout.segments < layout.entries()) size *= 2;
  return size;
}

class Team {
 public:
  __device__ __forceinline__ explicit Team(int size)
      : size_(size), lane_(static_cast<int>(threadIdx.x) % size) {}

  __device__ __forceinline__ int size() const { return size_; }
  __device__ __forceinline__ int lane() const { return lane_; }

  // The first task of this lane's warp, and the tasks from there to its next one. All teams of a
  // warp go on while the first one has a task, as they exchange numbers together.
  __device__ __forceinline__ int64_t first() const {
    const int64_t thread = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    return thread / kWarp * (kWarp / size_);
  }
  __device__ __forceinline__ int64_t stride() const {
    return static_cast<int64_t>(gridDim.x) * (blockDim.x / size_);
  }
  // This team's task, if the warp's first one is `first`.
  __device__ __forceinline__ int64_t task(int64_t first) const {
    return first + static_cast<int>(threadIdx.x) % kWarp / size_;
  }

  // The sum over the team, in the same order in every lane.
  template <class S>
  __device__ __forceinline__ S sum(S value) const {
    for (int distance = size_ / 2; distance > 0; distance /= 2) {
      value += __shfl_xor_sync(0xFFFFFFFFu, value, distance);
    }
    return value;
  }

  template <class S>
  __device__ __forceinline__ S most(S value) const {
    for (int distance = size_ / 2; distance > 0; distance /= 2) {
      const S other = __shfl_xor_sync(0xFFFFFFFFu, value, distance);
      value = other > value ? other : value;
    }
    return value;
  }

 private:
  int size_, lane_;
};

}  // namespace fastgan
