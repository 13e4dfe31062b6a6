#pragma once

#include <cstdint>

#include "macros.h"
#include "math/octet.h"

namespace fastgan {

// Where a kernel gets its random key from: seed and offset. If a CUDA graph captures the launch,
// the captured pointers to device memory instead. torch's generator writes new values there before
// each replay, so every replay draws a new mask.
struct RandomState {
  uint64_t seed = 0;
  uint64_t offset = 0;
  const int64_t* captured_seed = nullptr;
  const int64_t* captured_offset = nullptr;
  uint64_t offset_in_graph = 0;
};

// torch's own kernels draw four words at each counter, which is offset / 4. With the same counter,
// no block of random bits is shared with them.
constexpr uint64_t kTorchWordsPerCounter = 4;

FASTGAN_HD RandomKey random_key(const RandomState& state) {
  if (state.captured_seed == nullptr) return {state.seed, state.offset};
  return {static_cast<uint64_t>(*state.captured_seed),
          (static_cast<uint64_t>(*state.captured_offset) + state.offset_in_graph) /
              kTorchWordsPerCounter};
}

}  // namespace fastgan
