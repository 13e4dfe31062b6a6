#pragma once

#include <cstdint>

#include "macros.h"
#include "math/philox.h"

// The unit of work is the OCTET: 8 consecutive elements of a dense tensor in memory order. An octet
// has
//
//   one Philox block of 128 bits: 8 DRAWS of 16 bits, one for each element; and
//   one byte in each PLANE of the STATE, which the backward reads. Bit i belongs to element i. In
//   plane `active` a set bit means that gradient flows (the element was kept and not clamped), in
//   plane `positive` that the activation's factor is 1, not negative_slope.
//
// Bits past the last element are 0. A draw depends only on seed, offset and element, so masks are
// the same on every device and for any number of threads, grid and SIMD width.

namespace fastgan {

constexpr int kOctet = 8;
constexpr uint32_t kThresholdOne = 1u << 16;

template <class Int>  // int64_t, or torch's symbolic integer
FASTGAN_HD Int octets_of(Int elements) {
  return (elements + (kOctet - 1)) / kOctet;
}

// An element is dropped when its draw is below the threshold. This quantises p with an error of at
// most 2^-17.
FASTGAN_HD uint32_t dropout_threshold(double p) {
  return static_cast<uint32_t>(p * kThresholdOne + 0.5);
}

// 1 / P(kept) for the quantised p, so that the expectation is exact; 0 if everything is dropped.
FASTGAN_HD double dropout_scale(uint32_t threshold) {
  return threshold >= kThresholdOne
             ? 0.0
             : static_cast<double>(kThresholdOne) / (kThresholdOne - threshold);
}

// What a draw depends on, besides the element's index.
struct RandomKey {
  uint64_t seed;
  uint64_t offset;
};

FASTGAN_HD PhiloxKey philox_key(RandomKey key) {
  return {{static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)}};
}

// The octet's index comes in two halves, as octets that share the upper one share work.
FASTGAN_HD PhiloxBlock draw_octet(RandomKey key, uint32_t low, uint32_t high) {
  return philox4x32(
      {{static_cast<uint32_t>(key.offset), static_cast<uint32_t>(key.offset >> 32), low, high}},
      philox_key(key));
}

FASTGAN_HD PhiloxBlock draw_octet(RandomKey key, int64_t octet) {
  const uint64_t index = static_cast<uint64_t>(octet);
  return draw_octet(key, static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32));
}

// The 8 keep decisions of an octet, for a threshold above 0: bit i is set where element i is kept.
// Draw i is the low half (even i) or the high half (odd i) of word i / 2; it keeps its element if
// it is at least the threshold.
FASTGAN_HD uint8_t keep_bits(const PhiloxBlock& block, uint32_t threshold) {
  // The draw is compared where it is, or moved to the upper half: a GPU moves bits beside
  // comparing. The largest word of a dropped draw has 32 bits for every threshold, kThresholdOne
  // included.
  const uint32_t most_dropped = (threshold << 16) - 1;
  uint32_t bits = 0;
#ifdef __CUDACC__
#pragma unroll
#endif
  for (int k = 0; k < kOctet / 2; ++k) {
    bits |= static_cast<uint32_t>((block.word[k] << 16) > most_dropped) << (2 * k);
    bits |= static_cast<uint32_t>(block.word[k] > most_dropped) << (2 * k + 1);
  }
  return static_cast<uint8_t>(bits);
}

FASTGAN_HD uint8_t keep_octet(RandomKey key, int64_t octet, uint32_t threshold) {
  return keep_bits(draw_octet(key, octet), threshold);
}

// The bits of an octet that belong to one of the tensor's `elements` elements.
FASTGAN_HD uint8_t octet_bits_below(int64_t octet, int64_t elements) {
  const int64_t left = elements - octet * kOctet;
  return left >= kOctet ? 0xFF : left <= 0 ? 0 : static_cast<uint8_t>((1u << left) - 1);
}

}  // namespace fastgan
