#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/cpu/simd_common.h"

// See simd.h.

namespace fastgan {
namespace avx512 {

struct Floats {
  using Scalar = float;
  using Mask = __mmask16;
  static constexpr int kLanes = 16;
  __m512 v;
};

struct Doubles {
  using Scalar = double;
  using Mask = __mmask8;
  static constexpr int kLanes = 8;
  __m512d v;
};

template <class V>
FASTGAN_MATH V broadcast(typename V::Scalar value);
template <>
FASTGAN_MATH Floats broadcast<Floats>(float value) {
  return {_mm512_set1_ps(value)};
}
template <>
FASTGAN_MATH Doubles broadcast<Doubles>(double value) {
  return {_mm512_set1_pd(value)};
}

FASTGAN_MATH Floats operator+(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
FASTGAN_MATH Floats operator-(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
FASTGAN_MATH Floats operator*(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
FASTGAN_MATH Floats operator/(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }
FASTGAN_MATH Doubles operator+(Doubles a, Doubles b) { return {_mm512_add_pd(a.v, b.v)}; }
FASTGAN_MATH Doubles operator-(Doubles a, Doubles b) { return {_mm512_sub_pd(a.v, b.v)}; }
FASTGAN_MATH Doubles operator*(Doubles a, Doubles b) { return {_mm512_mul_pd(a.v, b.v)}; }
FASTGAN_MATH Doubles operator/(Doubles a, Doubles b) { return {_mm512_div_pd(a.v, b.v)}; }

FASTGAN_MATH Floats load(const float* p) { return {_mm512_loadu_ps(p)}; }
FASTGAN_MATH Doubles load(const double* p) { return {_mm512_loadu_pd(p)}; }
FASTGAN_MATH Floats load(const c10::Half* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
FASTGAN_MATH Floats load(const c10::BFloat16* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}

template <class V>
FASTGAN_MATH V numbers_of(const uint32_t* words);
template <>
FASTGAN_MATH Floats numbers_of<Floats>(const uint32_t* words) {
  return {_mm512_cvtepu32_ps(_mm512_loadu_si512(words))};
}
template <>
FASTGAN_MATH Doubles numbers_of<Doubles>(const uint32_t* words) {
  return {_mm512_cvtepu32_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(words)))};
}

FASTGAN_MATH void store(float* p, Floats a) { _mm512_storeu_ps(p, a.v); }
FASTGAN_MATH void store(double* p, Doubles a) { _mm512_storeu_pd(p, a.v); }
FASTGAN_MATH void store(c10::Half* p, Floats a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
// The processor's own conversion (AVX512_BF16) would flush denormals to 0.
FASTGAN_MATH void store(c10::BFloat16* p, Floats a) {
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i nearest = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  const __mmask16 nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  const __m512i rounded = _mm512_mask_mov_epi32(nearest, nan, _mm512_set1_epi32(0x7FC00000));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
}

FASTGAN_MATH void stream(float* p, Floats a) { _mm512_stream_ps(p, a.v); }
FASTGAN_MATH void stream(double* p, Doubles a) { _mm512_stream_pd(p, a.v); }
template <class Half>
FASTGAN_MATH void stream(Half* p, Floats x) {
  store(p, x);
}
FASTGAN_MATH void finish_streaming() { _mm_sfence(); }

FASTGAN_MATH __mmask16 greater(Floats a, Floats b) {
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ);
}
FASTGAN_MATH __mmask8 greater(Doubles a, Doubles b) {
  return _mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ);
}
FASTGAN_MATH __mmask16 less_equal(Floats a, Floats b) {
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ);
}
FASTGAN_MATH __mmask8 less_equal(Doubles a, Doubles b) {
  return _mm512_cmp_pd_mask(a.v, b.v, _CMP_LE_OQ);
}

FASTGAN_MATH Floats select(__mmask16 mask, Floats where_set, Floats where_clear) {
  return {_mm512_mask_blend_ps(mask, where_clear.v, where_set.v)};
}
FASTGAN_MATH Doubles select(__mmask8 mask, Doubles where_set, Doubles where_clear) {
  return {_mm512_mask_blend_pd(mask, where_clear.v, where_set.v)};
}
FASTGAN_MATH Floats zero_unless(__mmask16 mask, Floats a) {
  return {_mm512_maskz_mov_ps(mask, a.v)};
}
FASTGAN_MATH Doubles zero_unless(__mmask8 mask, Doubles a) {
  return {_mm512_maskz_mov_pd(mask, a.v)};
}

FASTGAN_MATH __mmask16 equal(Floats a, Floats b) {
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ);
}
FASTGAN_MATH __mmask8 equal(Doubles a, Doubles b) {
  return _mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ);
}
FASTGAN_MATH Floats negative_absolute(Floats a) {
  return {_mm512_or_ps(a.v, _mm512_set1_ps(-0.0f))};
}
FASTGAN_MATH Doubles negative_absolute(Doubles a) {
  return {_mm512_or_pd(a.v, _mm512_set1_pd(-0.0))};
}
FASTGAN_MATH Floats at_least(Floats limit, Floats a) { return {_mm512_max_ps(limit.v, a.v)}; }
FASTGAN_MATH Floats multiply_add(Floats a, Floats b, Floats c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
FASTGAN_MATH Doubles multiply_add(Doubles a, Doubles b, Doubles c) {
  return {_mm512_fmadd_pd(a.v, b.v, c.v)};
}
FASTGAN_MATH Floats round_to_even(Floats a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
FASTGAN_MATH Floats scale_by_power(Floats a, Floats n) { return {_mm512_scalef_ps(a.v, n.v)}; }
FASTGAN_MATH Floats split_power(Floats a, Floats* k) {
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i power = _mm512_srai_epi32(_mm512_sub_epi32(bits, _mm512_set1_epi32(kRootHalf)), 23);
  k->v = _mm512_cvtepi32_ps(power);
  return {_mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(power, 23)))};
}
FASTGAN_MATH Doubles widened_sum(Floats a) {
  const __m256 high = _mm512_extractf32x8_ps(a.v, 1);
  return {_mm512_add_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(a.v)), _mm512_cvtps_pd(high))};
}

template <class M>
FASTGAN_MATH M mask_and(M a, M b) {
  return static_cast<M>(a & b);
}
template <class M>
FASTGAN_MATH M mask_and_not(M a, M b) {
  return static_cast<M>(a & ~b);
}

template <class V>
FASTGAN_MATH typename V::Mask mask_from_bits(const uint8_t* bytes) {
  typename V::Mask mask;
  std::memcpy(&mask, bytes, sizeof(mask));
  return mask;
}
template <class M>
FASTGAN_MATH void store_bits(uint8_t* bytes, M mask) {
  std::memcpy(bytes, &mask, sizeof(mask));
}

}  // namespace avx512
}  // namespace fastgan
