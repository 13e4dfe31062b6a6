#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/cpu/simd_common.h"

// See simd.h. A vector is a pair of registers, so it has as many lanes as with AVX-512.

namespace fastgan {
namespace avx2 {

struct FloatMask {
  __m256 a, b;
};

struct DoubleMask {
  __m256d a, b;
};

struct Floats {
  using Scalar = float;
  using Mask = FloatMask;
  static constexpr int kLanes = 16;
  __m256 a, b;
};

struct Doubles {
  using Scalar = double;
  using Mask = DoubleMask;
  static constexpr int kLanes = 8;
  __m256d a, b;
};

template <class V>
FASTGAN_MATH V broadcast(typename V::Scalar value);
template <>
FASTGAN_MATH Floats broadcast<Floats>(float value) {
  return {_mm256_set1_ps(value), _mm256_set1_ps(value)};
}
template <>
FASTGAN_MATH Doubles broadcast<Doubles>(double value) {
  return {_mm256_set1_pd(value), _mm256_set1_pd(value)};
}

FASTGAN_MATH Floats operator+(Floats x, Floats y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}
FASTGAN_MATH Floats operator-(Floats x, Floats y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
FASTGAN_MATH Floats operator*(Floats x, Floats y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
FASTGAN_MATH Floats operator/(Floats x, Floats y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}
FASTGAN_MATH Doubles operator+(Doubles x, Doubles y) {
  return {_mm256_add_pd(x.a, y.a), _mm256_add_pd(x.b, y.b)};
}
FASTGAN_MATH Doubles operator-(Doubles x, Doubles y) {
  return {_mm256_sub_pd(x.a, y.a), _mm256_sub_pd(x.b, y.b)};
}
FASTGAN_MATH Doubles operator*(Doubles x, Doubles y) {
  return {_mm256_mul_pd(x.a, y.a), _mm256_mul_pd(x.b, y.b)};
}
FASTGAN_MATH Doubles operator/(Doubles x, Doubles y) {
  return {_mm256_div_pd(x.a, y.a), _mm256_div_pd(x.b, y.b)};
}

FASTGAN_MATH Floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
FASTGAN_MATH Doubles load(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
FASTGAN_MATH Floats load(const c10::Half* p) {
  const __m128i* bits = reinterpret_cast<const __m128i*>(p);
  return {_mm256_cvtph_ps(_mm_loadu_si128(bits)), _mm256_cvtph_ps(_mm_loadu_si128(bits + 1))};
}
FASTGAN_MATH __m256 widen_bfloat16(__m128i bits) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
FASTGAN_MATH Floats load(const c10::BFloat16* p) {
  const __m128i* bits = reinterpret_cast<const __m128i*>(p);
  return {widen_bfloat16(_mm_loadu_si128(bits)), widen_bfloat16(_mm_loadu_si128(bits + 1))};
}

// AVX2 converts signed words only. The halves of a word are exact, so their sum is rounded once.
FASTGAN_MATH __m256 numbers_of(__m256i words) {
  const __m256 high = _mm256_cvtepi32_ps(_mm256_srli_epi32(words, 16));
  const __m256 low = _mm256_cvtepi32_ps(_mm256_and_si256(words, _mm256_set1_epi32(0xFFFF)));
  return _mm256_add_ps(_mm256_mul_ps(high, _mm256_set1_ps(65536.0f)), low);
}
FASTGAN_MATH __m256d numbers_of(__m128i words) {
  const __m128i moved = _mm_xor_si128(words, _mm_set1_epi32(static_cast<int>(0x80000000u)));
  return _mm256_add_pd(_mm256_cvtepi32_pd(moved), _mm256_set1_pd(2147483648.0));
}
template <class V>
FASTGAN_MATH V numbers_of(const uint32_t* words);
template <>
FASTGAN_MATH Floats numbers_of<Floats>(const uint32_t* words) {
  const __m256i* bits = reinterpret_cast<const __m256i*>(words);
  return {numbers_of(_mm256_loadu_si256(bits)), numbers_of(_mm256_loadu_si256(bits + 1))};
}
template <>
FASTGAN_MATH Doubles numbers_of<Doubles>(const uint32_t* words) {
  const __m128i* bits = reinterpret_cast<const __m128i*>(words);
  return {numbers_of(_mm_loadu_si128(bits)), numbers_of(_mm_loadu_si128(bits + 1))};
}

FASTGAN_MATH void store(float* p, Floats x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
FASTGAN_MATH void store(double* p, Doubles x) {
  _mm256_storeu_pd(p, x.a);
  _mm256_storeu_pd(p + 4, x.b);
}
FASTGAN_MATH void store(c10::Half* p, Floats x) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x.a, kNearest));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p) + 1, _mm256_cvtps_ph(x.b, kNearest));
}
FASTGAN_MATH __m256i narrow_bfloat16(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i nearest = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  return _mm256_srli_epi32(_mm256_blendv_epi8(nearest, _mm256_set1_epi32(0x7FC00000), nan), 16);
}
FASTGAN_MATH void store(c10::BFloat16* p, Floats x) {
  const __m256i packed = _mm256_packus_epi32(narrow_bfloat16(x.a), narrow_bfloat16(x.b));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, 0xD8));
}

FASTGAN_MATH void stream(float* p, Floats x) {
  _mm256_stream_ps(p, x.a);
  _mm256_stream_ps(p + 8, x.b);
}
FASTGAN_MATH void stream(double* p, Doubles x) {
  _mm256_stream_pd(p, x.a);
  _mm256_stream_pd(p + 4, x.b);
}
template <class Half>
FASTGAN_MATH void stream(Half* p, Floats x) {
  store(p, x);
}
FASTGAN_MATH void finish_streaming() { _mm_sfence(); }

template <int predicate>
FASTGAN_MATH FloatMask compare(Floats x, Floats y) {
  return {_mm256_cmp_ps(x.a, y.a, predicate), _mm256_cmp_ps(x.b, y.b, predicate)};
}
template <int predicate>
FASTGAN_MATH DoubleMask compare(Doubles x, Doubles y) {
  return {_mm256_cmp_pd(x.a, y.a, predicate), _mm256_cmp_pd(x.b, y.b, predicate)};
}
FASTGAN_MATH FloatMask greater(Floats x, Floats y) { return compare<_CMP_GT_OQ>(x, y); }
FASTGAN_MATH DoubleMask greater(Doubles x, Doubles y) { return compare<_CMP_GT_OQ>(x, y); }
FASTGAN_MATH FloatMask less_equal(Floats x, Floats y) { return compare<_CMP_LE_OQ>(x, y); }
FASTGAN_MATH DoubleMask less_equal(Doubles x, Doubles y) { return compare<_CMP_LE_OQ>(x, y); }

FASTGAN_MATH Floats select(FloatMask mask, Floats where_set, Floats where_clear) {
  return {_mm256_blendv_ps(where_clear.a, where_set.a, mask.a),
          _mm256_blendv_ps(where_clear.b, where_set.b, mask.b)};
}
FASTGAN_MATH Doubles select(DoubleMask mask, Doubles where_set, Doubles where_clear) {
  return {_mm256_blendv_pd(where_clear.a, where_set.a, mask.a),
          _mm256_blendv_pd(where_clear.b, where_set.b, mask.b)};
}
FASTGAN_MATH Floats zero_unless(FloatMask mask, Floats x) {
  return {_mm256_and_ps(mask.a, x.a), _mm256_and_ps(mask.b, x.b)};
}
FASTGAN_MATH Doubles zero_unless(DoubleMask mask, Doubles x) {
  return {_mm256_and_pd(mask.a, x.a), _mm256_and_pd(mask.b, x.b)};
}

FASTGAN_MATH FloatMask equal(Floats x, Floats y) { return compare<_CMP_EQ_OQ>(x, y); }
FASTGAN_MATH DoubleMask equal(Doubles x, Doubles y) { return compare<_CMP_EQ_OQ>(x, y); }
FASTGAN_MATH Floats negative_absolute(Floats x) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(sign, x.a), _mm256_or_ps(sign, x.b)};
}
FASTGAN_MATH Doubles negative_absolute(Doubles x) {
  const __m256d sign = _mm256_set1_pd(-0.0);
  return {_mm256_or_pd(sign, x.a), _mm256_or_pd(sign, x.b)};
}
FASTGAN_MATH Floats at_least(Floats limit, Floats x) {
  return {_mm256_max_ps(limit.a, x.a), _mm256_max_ps(limit.b, x.b)};
}
FASTGAN_MATH Floats multiply_add(Floats x, Floats y, Floats z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
FASTGAN_MATH Doubles multiply_add(Doubles x, Doubles y, Doubles z) {
  return {_mm256_fmadd_pd(x.a, y.a, z.a), _mm256_fmadd_pd(x.b, y.b, z.b)};
}
FASTGAN_MATH Floats round_to_even(Floats x) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(x.a, kNearest), _mm256_round_ps(x.b, kNearest)};
}
FASTGAN_MATH __m256 power_of_two(__m256 n) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_max_epi32(biased, _mm256_setzero_si256()), 23));
}
FASTGAN_MATH Floats scale_by_power(Floats x, Floats n) {
  return {_mm256_mul_ps(x.a, power_of_two(n.a)), _mm256_mul_ps(x.b, power_of_two(n.b))};
}
FASTGAN_MATH __m256 split_power(__m256 x, __m256* k) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i power = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(kRootHalf)), 23);
  *k = _mm256_cvtepi32_ps(power);
  return _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(power, 23)));
}
FASTGAN_MATH Floats split_power(Floats x, Floats* k) {
  return {split_power(x.a, &k->a), split_power(x.b, &k->b)};
}
FASTGAN_MATH Doubles widened_sum(Floats x) {
  return {_mm256_add_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(x.a)),
                        _mm256_cvtps_pd(_mm256_castps256_ps128(x.b))),
          _mm256_add_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(x.a, 1)),
                        _mm256_cvtps_pd(_mm256_extractf128_ps(x.b, 1)))};
}

FASTGAN_MATH FloatMask mask_and(FloatMask x, FloatMask y) {
  return {_mm256_and_ps(x.a, y.a), _mm256_and_ps(x.b, y.b)};
}
FASTGAN_MATH DoubleMask mask_and(DoubleMask x, DoubleMask y) {
  return {_mm256_and_pd(x.a, y.a), _mm256_and_pd(x.b, y.b)};
}
FASTGAN_MATH FloatMask mask_and_not(FloatMask x, FloatMask y) {
  return {_mm256_andnot_ps(y.a, x.a), _mm256_andnot_ps(y.b, x.b)};
}
FASTGAN_MATH DoubleMask mask_and_not(DoubleMask x, DoubleMask y) {
  return {_mm256_andnot_pd(y.a, x.a), _mm256_andnot_pd(y.b, x.b)};
}

FASTGAN_MATH __m256 lanes_of(uint8_t bits) {
  const __m256i select_bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i picked = _mm256_and_si256(_mm256_set1_epi32(bits), select_bit);
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(picked, select_bit));
}
FASTGAN_MATH __m256d lanes_of_half(int bits) {
  const __m256i select_bit = _mm256_setr_epi64x(1, 2, 4, 8);
  const __m256i picked = _mm256_and_si256(_mm256_set1_epi64x(bits), select_bit);
  return _mm256_castsi256_pd(_mm256_cmpeq_epi64(picked, select_bit));
}
template <class V>
FASTGAN_MATH typename V::Mask mask_from_bits(const uint8_t* bytes);
template <>
FASTGAN_MATH FloatMask mask_from_bits<Floats>(const uint8_t* bytes) {
  return {lanes_of(bytes[0]), lanes_of(bytes[1])};
}
template <>
FASTGAN_MATH DoubleMask mask_from_bits<Doubles>(const uint8_t* bytes) {
  return {lanes_of_half(bytes[0]), lanes_of_half(bytes[0] >> 4)};
}
FASTGAN_MATH void store_bits(uint8_t* bytes, FloatMask mask) {
  bytes[0] = static_cast<uint8_t>(_mm256_movemask_ps(mask.a));
  bytes[1] = static_cast<uint8_t>(_mm256_movemask_ps(mask.b));
}
FASTGAN_MATH void store_bits(uint8_t* bytes, DoubleMask mask) {
  bytes[0] = static_cast<uint8_t>(_mm256_movemask_pd(mask.a) | _mm256_movemask_pd(mask.b) << 4);
}

}  // namespace avx2
}  // namespace fastgan
