#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/cpu/simd_common.h"

// As words_avx512.h, with a pair of registers for a vector.

namespace fastgan {
namespace avx2 {

struct Words {
  __m256i a, b;
};

FASTGAN_MATH __m256i same_word(uint32_t word) { return _mm256_set1_epi32(static_cast<int>(word)); }
FASTGAN_MATH Words same_words(uint32_t word) { return {same_word(word), same_word(word)}; }

// A register holds 8 counters. Lane j = 2 m + b of its 128-bit part L belongs to counter 4 m + 2 L
// + b, as store_eight() packs two vectors by interleaving their 128-bit parts.
FASTGAN_MATH Words counters_from(uint32_t first) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7);
  return {_mm256_add_epi32(same_word(first), lanes), _mm256_add_epi32(same_word(first + 8), lanes)};
}

FASTGAN_MATH Words consecutive_from(uint32_t first) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm256_add_epi32(same_word(first), lanes), _mm256_add_epi32(same_word(first + 8), lanes)};
}
FASTGAN_MATH void store_words(uint32_t* p, Words x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p) + 1, x.b);
}

FASTGAN_MATH Words exclusive_or(Words x, Words y) {
  return {_mm256_xor_si256(x.a, y.a), _mm256_xor_si256(x.b, y.b)};
}
FASTGAN_MATH Words exclusive_or(Words x, Words y, uint32_t key) {
  return exclusive_or(exclusive_or(x, y), same_words(key));
}

struct Product {
  Words high, low;
};

// 32 x 32 bit products: of the even lanes, of the odd lanes, then their halves put together.
FASTGAN_MATH Product multiply(Words x, uint32_t multiplier) {
  const __m256i m = _mm256_set1_epi64x(multiplier);
  const __m256i even_a = _mm256_mul_epu32(x.a, m), even_b = _mm256_mul_epu32(x.b, m);
  const __m256i odd_a = _mm256_mul_epu32(_mm256_srli_epi64(x.a, 32), m);
  const __m256i odd_b = _mm256_mul_epu32(_mm256_srli_epi64(x.b, 32), m);
  return {{_mm256_blend_epi32(_mm256_srli_epi64(even_a, 32), odd_a, 0xAA),
           _mm256_blend_epi32(_mm256_srli_epi64(even_b, 32), odd_b, 0xAA)},
          {_mm256_blend_epi32(even_a, _mm256_slli_epi64(odd_a, 32), 0xAA),
           _mm256_blend_epi32(even_b, _mm256_slli_epi64(odd_b, 32), 0xAA)}};
}

// 32 keep decisions, one bit each, from two vectors of draws. AVX2 has no unsigned comparison: draw
// >= limit is max(draw, limit) == draw.
FASTGAN_MATH uint32_t at_least(__m256i draws0, __m256i draws1, __m256i limit) {
  const __m256i kept0 = _mm256_cmpeq_epi16(_mm256_max_epu16(draws0, limit), draws0);
  const __m256i kept1 = _mm256_cmpeq_epi16(_mm256_max_epu16(draws1, limit), draws1);
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_packs_epi16(kept0, kept1)));
}

FASTGAN_MATH void store_eight(__m256i word0, __m256i word1, __m256i word2, __m256i word3,
                              __m256i limit, uint8_t* keep) {
  const __m256i low01 = _mm256_unpacklo_epi32(word0, word1);
  const __m256i high01 = _mm256_unpackhi_epi32(word0, word1);
  const __m256i low23 = _mm256_unpacklo_epi32(word2, word3);
  const __m256i high23 = _mm256_unpackhi_epi32(word2, word3);
  const uint32_t bits[2] = {
      at_least(_mm256_unpacklo_epi64(low01, low23), _mm256_unpackhi_epi64(low01, low23), limit),
      at_least(_mm256_unpacklo_epi64(high01, high23), _mm256_unpackhi_epi64(high01, high23),
               limit)};
  std::memcpy(keep, bits, sizeof(bits));
}

// Writes the keep decisions of 16 octets: a draw is kept if it is at least the threshold, which is
// below 2^16.
FASTGAN_MATH void store_decisions(Words word0, Words word1, Words word2, Words word3,
                                  uint32_t threshold, uint8_t* keep) {
  const __m256i limit = _mm256_set1_epi16(static_cast<short>(threshold));
  store_eight(word0.a, word1.a, word2.a, word3.a, limit, keep);
  store_eight(word0.b, word1.b, word2.b, word3.b, limit, keep + 8);
}

}  // namespace avx2
}  // namespace fastgan
