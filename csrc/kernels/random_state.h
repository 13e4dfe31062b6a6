#pragma once

#include <cstdint>

#include "macros.h"
#include "math/octet.h"

namespace fastgan {

// Where a kernel's random key comes from: two numbers, or, while a CUDA graph is captured, two
// places in device memory that torch's generator refills before each replay, so that every replay
// draws new masks.
struct RandomState {
  uint64_t seed = 0;
  uint64_t offset = 0;
  const int64_t* captured_seed = nullptr;
  const int64_t* captured_offset = nullptr;
  uint64_t offset_in_graph = 0;
};

// torch's own kernels read four words at each offset and use offset / 4 as the counter; doing the
// same keeps our blocks of random bits apart from theirs.
constexpr uint64_t kTorchWordsPerCounter = 4;

FASTGAN_HD RandomKey random_key(const RandomState& state) {
  if (state.captured_seed == nullptr) return {state.seed, state.offset};
  return {static_cast<uint64_t>(*state.captured_seed),
          (static_cast<uint64_t>(*state.captured_offset) + state.offset_in_graph) /
              kTorchWordsPerCounter};
}

}  // namespace fastgan
