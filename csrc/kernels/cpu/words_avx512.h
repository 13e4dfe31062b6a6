#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/cpu/simd_common.h"

// Words: one 32-bit word of each of a block's 16 Philox counters. keep_block.h computes with them.

namespace fastgan {
namespace avx512 {

struct Words {
  __m512i v;
};

FASTGAN_MATH Words same_words(uint32_t word) { return {_mm512_set1_epi32(static_cast<int>(word))}; }

// Lane j of 128-bit part L belongs to counter 4 j + L. A 4x4 transposition inside the parts then
// puts the draws in element order, and one comparison gives 32 bits of a plane.
FASTGAN_MATH Words counters_from(uint32_t first) {
  return {
      _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first)),
                       _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15))};
}

FASTGAN_MATH Words consecutive_from(uint32_t first) {
  return {
      _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first)),
                       _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))};
}
FASTGAN_MATH void store_words(uint32_t* p, Words a) { _mm512_storeu_si512(p, a.v); }

FASTGAN_MATH Words exclusive_or(Words a, Words b) { return {_mm512_xor_si512(a.v, b.v)}; }
FASTGAN_MATH Words exclusive_or(Words a, Words b, uint32_t key) {
  return {_mm512_ternarylogic_epi32(a.v, b.v, same_words(key).v, 0x96)};
}

struct Product {
  Words high, low;
};

// 32 x 32 bit products: of the even lanes, of the odd lanes, then their halves put together.
FASTGAN_MATH Product multiply(Words a, uint32_t multiplier) {
  const __m512i m = _mm512_set1_epi64(multiplier);
  const __m512 even = _mm512_castsi512_ps(_mm512_mul_epu32(a.v, m));
  const __m512 odd = _mm512_castsi512_ps(_mm512_mul_epu32(_mm512_srli_epi64(a.v, 32), m));
  return {{_mm512_castps_si512(_mm512_mask_movehdup_ps(odd, 0x5555, even))},
          {_mm512_castps_si512(_mm512_mask_moveldup_ps(even, 0xAAAA, odd))}};
}

// Writes the keep decisions of 16 octets: a draw is kept if it is at least the threshold, which is
// below 2^16.
FASTGAN_MATH void store_decisions(Words word0, Words word1, Words word2, Words word3,
                                  uint32_t threshold, uint8_t* keep) {
  const __m512i low01 = _mm512_unpacklo_epi32(word0.v, word1.v);
  const __m512i high01 = _mm512_unpackhi_epi32(word0.v, word1.v);
  const __m512i low23 = _mm512_unpacklo_epi32(word2.v, word3.v);
  const __m512i high23 = _mm512_unpackhi_epi32(word2.v, word3.v);
  const __m512i limit = _mm512_set1_epi16(static_cast<short>(threshold));
  const uint32_t bits[4] = {_mm512_cmpge_epu16_mask(_mm512_unpacklo_epi64(low01, low23), limit),
                            _mm512_cmpge_epu16_mask(_mm512_unpackhi_epi64(low01, low23), limit),
                            _mm512_cmpge_epu16_mask(_mm512_unpacklo_epi64(high01, high23), limit),
                            _mm512_cmpge_epu16_mask(_mm512_unpackhi_epi64(high01, high23), limit)};
  std::memcpy(keep, bits, sizeof(bits));
}

}  // namespace avx512
}  // namespace fastgan
