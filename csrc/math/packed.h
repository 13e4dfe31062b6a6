#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

#include "macros.h"
#include "math/philox.h"

// Words of two 16-bit halves, on both of which a GPU works at once. The versions for the host say
// what a GPU's instructions do. A MASK is a word whose halves are all ones or 0.

namespace fastgan {

// Set where a's half, as an unsigned number, is at least b's.
FASTGAN_HD uint32_t mask_of_at_least(uint32_t a, uint32_t b) {
#ifdef __CUDA_ARCH__
  return __vcmpgeu2(a, b);
#else
  return ((a & 0xFFFFu) >= (b & 0xFFFFu) ? 0x0000FFFFu : 0u) |
         ((a >> 16) >= (b >> 16) ? 0xFFFF0000u : 0u);
#endif
}

// a where the mask is set, else b.
FASTGAN_HD uint32_t select_bits(uint32_t mask, uint32_t a, uint32_t b) {
  return (a & mask) | (b & ~mask);
}

// The masks of an octet as a byte: bit 2 k is the low half of mask k, bit 2 k + 1 the high one.
FASTGAN_HD uint32_t byte_of_masks(const uint32_t (&masks)[4]) {
#ifdef __CUDA_ARCH__
  // As signed bytes, the halves' upper bytes are -1 or 0. Their products with the negative weights
  // of the bits add up to the byte.
  constexpr int kWeights0To3 = static_cast<int>(0xF8FCFEFFu);  // -8, -4, -2, -1
  constexpr int kWeights4To7 = static_cast<int>(0x80C0E0F0u);  // -128, -64, -32, -16
  constexpr uint32_t kUpperBytes = 0x7531u;
  const int first = static_cast<int>(__byte_perm(masks[0], masks[1], kUpperBytes));
  const int second = static_cast<int>(__byte_perm(masks[2], masks[3], kUpperBytes));
  return static_cast<uint32_t>(__dp4a(second, kWeights4To7, __dp4a(first, kWeights0To3, 0)));
#else
  uint32_t byte = 0;
  for (int k = 0; k < 4; ++k) {
    byte |= (masks[k] & 1u) << (2 * k) | (masks[k] >> 31) << (2 * k + 1);
  }
  return byte;
#endif
}

// The keep decisions of an octet as masks, for a threshold below kThresholdOne: keep_bits() of
// math/octet.h is their byte.
FASTGAN_HD void keep_masks(const PhiloxBlock& block, uint32_t threshold, uint32_t (&masks)[4]) {
  for (int k = 0; k < 4; ++k) masks[k] = mask_of_at_least(block.word[k], threshold * 0x10001u);
}

// A word of two numbers of type T, c10::Half or c10::BFloat16, the first in the low half.
template <class T>
struct Pair;

#ifdef __CUDA_ARCH__

template <>
struct Pair<c10::BFloat16> {
  using Type = __nv_bfloat162;
  static __device__ __forceinline__ float first(uint32_t pair) {
    return __uint_as_float(pair << 16);
  }
  static __device__ __forceinline__ float second(uint32_t pair) {
    return __uint_as_float(pair & 0xFFFF0000u);
  }
  static __device__ __forceinline__ Type of(float first, float second) {
    return __floats2bfloat162_rn(first, second);
  }
};

template <>
struct Pair<c10::Half> {
  using Type = __half2;
  static __device__ __forceinline__ float first(uint32_t pair) {
    return __low2float(*reinterpret_cast<const Type*>(&pair));
  }
  static __device__ __forceinline__ float second(uint32_t pair) {
    return __high2float(*reinterpret_cast<const Type*>(&pair));
  }
  static __device__ __forceinline__ Type of(float first, float second) {
    return __floats2half2_rn(first, second);
  }
};

template <class T>
__device__ __forceinline__ uint32_t rounded_pair(float first, float second) {
  const auto pair = Pair<T>::of(first, second);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// Set where the number is positive, and clear where it is NaN.
template <class T>
__device__ __forceinline__ uint32_t mask_of_positive(uint32_t pair) {
  return __hgt2_mask(*reinterpret_cast<const typename Pair<T>::Type*>(&pair), Pair<T>::of(0, 0));
}

// max(number, 0); NaN stays.
template <class T>
__device__ __forceinline__ uint32_t at_least_zero(uint32_t pair) {
  const auto most =
      __hmax2_nan(*reinterpret_cast<const typename Pair<T>::Type*>(&pair), Pair<T>::of(0, 0));
  return *reinterpret_cast<const uint32_t*>(&most);
}

#else

template <class T>
struct Pair {
  static float number(uint32_t bits) {
    return static_cast<float>(T(static_cast<unsigned short>(bits), T::from_bits()));
  }
  static float first(uint32_t pair) { return number(pair); }
  static float second(uint32_t pair) { return number(pair >> 16); }
};

template <class T>
uint32_t rounded_pair(float first, float second) {
  return static_cast<uint32_t>(T(first).x) | static_cast<uint32_t>(T(second).x) << 16;
}

template <class T>
uint32_t mask_of_positive(uint32_t pair) {
  return (Pair<T>::first(pair) > 0.0f ? 0x0000FFFFu : 0u) |
         (Pair<T>::second(pair) > 0.0f ? 0xFFFF0000u : 0u);
}

template <class T>
uint32_t at_least_zero(uint32_t pair) {
  return pair & ~((Pair<T>::first(pair) <= 0.0f ? 0x0000FFFFu : 0u) |
                  (Pair<T>::second(pair) <= 0.0f ? 0xFFFF0000u : 0u));
}

#endif

}  // namespace fastgan
