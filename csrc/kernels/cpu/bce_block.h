#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/bce.h"
#include "kernels/cpu/simd_common.h"

namespace fastgan {

// Pointers to a block's elements in each tensor; null where there is no tensor.
template <class T>
struct BlockAt {
  const T* input;
  const T* target;
  const Arithmetic<T>* weight;
  const Arithmetic<T>* pos_weight;
};

template <class T>
BlockAt<T> block_at(const BceTerms<T>& terms, int64_t element) {
  return {terms.input + element, terms.target ? terms.target + element : nullptr,
          terms.weight ? terms.weight + element : nullptr,
          terms.pos_weight ? terms.pos_weight + element : nullptr};
}

// The tensor's last block, padded with a value that is valid as a logit, probability, target and
// weight.
template <class T>
struct PaddedBlock {
  T input[kBlock], target[kBlock];
  Arithmetic<T> weight[kBlock], pos_weight[kBlock];

  BlockAt<T> fill(const BlockAt<T>& from, int64_t count) {
    return {copy(from.input, count, input), copy(from.target, count, target),
            copy(from.weight, count, weight), copy(from.pos_weight, count, pos_weight)};
  }

  template <class N>
  static const N* copy(const N* from, int64_t count, N* to) {
    if (from == nullptr) return nullptr;
    std::fill(std::copy_n(from, count, to), to + kBlock, N(0.5f));
    return to;
  }
};

}  // namespace fastgan
