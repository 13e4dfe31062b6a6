#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/cpu/simd_common.h"
#include "math/column_noise.h"
#include "math/octet.h"

// See simd.h. Vectors are arrays, which the compiler vectorises for the registers that it may use.
// Masks are words of all ones or all zeros, so that selecting needs no branch: on random masks
// branches are mispredicted (leaky ReLU and dropout forward take 4.9 ns an element with branches,
// 2.4 without; 4.2 M floats, AMD EPYC, one thread, gcc 12, 2026-11-20).

namespace fastgan {
namespace portable {

template <int lanes>
struct Lanes {
  using Word = std::conditional_t<lanes == 16, uint32_t, uint64_t>;  // as wide as a number
  Word lane[lanes];
};

template <class S, int lanes>
struct Array {
  using Scalar = S;
  using Mask = Lanes<lanes>;
  static constexpr int kLanes = lanes;
  S lane[lanes];
};

using Floats = Array<float, 16>;
using Doubles = Array<double, 8>;

template <class V>
FASTGAN_MATH V broadcast(typename V::Scalar value) {
  V result;
  for (int i = 0; i < V::kLanes; ++i) result.lane[i] = value;
  return result;
}

template <class S, int lanes>
FASTGAN_MATH Array<S, lanes> operator+(Array<S, lanes> a, Array<S, lanes> b) {
  for (int i = 0; i < lanes; ++i) a.lane[i] += b.lane[i];
  return a;
}
template <class S, int lanes>
FASTGAN_MATH Array<S, lanes> operator-(Array<S, lanes> a, Array<S, lanes> b) {
  for (int i = 0; i < lanes; ++i) a.lane[i] -= b.lane[i];
  return a;
}
template <class S, int lanes>
FASTGAN_MATH Array<S, lanes> operator*(Array<S, lanes> a, Array<S, lanes> b) {
  for (int i = 0; i < lanes; ++i) a.lane[i] *= b.lane[i];
  return a;
}
template <class S, int lanes>
FASTGAN_MATH Array<S, lanes> operator/(Array<S, lanes> a, Array<S, lanes> b) {
  for (int i = 0; i < lanes; ++i) a.lane[i] /= b.lane[i];
  return a;
}

template <class T>
FASTGAN_MATH Floats load(const T* p) {
  Floats result;
  for (int i = 0; i < Floats::kLanes; ++i) result.lane[i] = static_cast<float>(p[i]);
  return result;
}
FASTGAN_MATH Doubles load(const double* p) {
  Doubles result;
  std::memcpy(result.lane, p, sizeof(result.lane));
  return result;
}
template <class V>
FASTGAN_MATH V numbers_of(const uint32_t* words) {
  V result;
  for (int i = 0; i < V::kLanes; ++i) result.lane[i] = static_cast<typename V::Scalar>(words[i]);
  return result;
}
template <class T, class S, int lanes>
FASTGAN_MATH void store(T* p, Array<S, lanes> a) {
  for (int i = 0; i < lanes; ++i) p[i] = static_cast<T>(a.lane[i]);
}

template <int lanes>
FASTGAN_MATH typename Lanes<lanes>::Word word_of(const Lanes<lanes>&, bool bit) {
  return 0 - static_cast<typename Lanes<lanes>::Word>(bit);
}

template <class T, class S, int lanes>
FASTGAN_MATH void stream(T* p, Array<S, lanes> a) {
  store(p, a);
}
FASTGAN_MATH void finish_streaming() {}

template <class S, int lanes>
FASTGAN_MATH Lanes<lanes> greater(Array<S, lanes> a, Array<S, lanes> b) {
  Lanes<lanes> result;
  for (int i = 0; i < lanes; ++i) result.lane[i] = word_of(result, a.lane[i] > b.lane[i]);
  return result;
}
template <class S, int lanes>
FASTGAN_MATH Lanes<lanes> less_equal(Array<S, lanes> a, Array<S, lanes> b) {
  Lanes<lanes> result;
  for (int i = 0; i < lanes; ++i) result.lane[i] = word_of(result, a.lane[i] <= b.lane[i]);
  return result;
}
template <class S, int lanes>
FASTGAN_MATH Lanes<lanes> words_of(Array<S, lanes> a) {
  Lanes<lanes> words;
  static_assert(sizeof(words) == sizeof(a));
  std::memcpy(&words, &a, sizeof(a));
  return words;
}
template <class S, int lanes>
FASTGAN_MATH Array<S, lanes> select(Lanes<lanes> mask, Array<S, lanes> where_set,
                                    Array<S, lanes> where_clear) {
  const Lanes<lanes> set = words_of(where_set), clear = words_of(where_clear);
  Lanes<lanes> words;
  for (int i = 0; i < lanes; ++i)
    words.lane[i] = (set.lane[i] & mask.lane[i]) | (clear.lane[i] & ~mask.lane[i]);
  std::memcpy(&where_set, &words, sizeof(words));
  return where_set;
}
template <class S, int lanes>
FASTGAN_MATH Array<S, lanes> zero_unless(Lanes<lanes> mask, Array<S, lanes> a) {
  Lanes<lanes> words = words_of(a);
  for (int i = 0; i < lanes; ++i) words.lane[i] &= mask.lane[i];
  std::memcpy(&a, &words, sizeof(words));
  return a;
}

template <class S, int lanes>
FASTGAN_MATH Lanes<lanes> equal(Array<S, lanes> a, Array<S, lanes> b) {
  Lanes<lanes> result;
  for (int i = 0; i < lanes; ++i) result.lane[i] = word_of(result, a.lane[i] == b.lane[i]);
  return result;
}
template <class S, int lanes>
FASTGAN_MATH Array<S, lanes> negative_absolute(Array<S, lanes> a) {
  for (int i = 0; i < lanes; ++i) a.lane[i] = -std::fabs(a.lane[i]);
  return a;
}
FASTGAN_MATH Floats at_least(Floats limit, Floats a) {
  for (int i = 0; i < Floats::kLanes; ++i)
    a.lane[i] = a.lane[i] < limit.lane[i] ? limit.lane[i] : a.lane[i];
  return a;
}
template <class S, int lanes>
FASTGAN_MATH Array<S, lanes> multiply_add(Array<S, lanes> a, Array<S, lanes> b, Array<S, lanes> c) {
#ifdef FP_FAST_FMAF
  for (int i = 0; i < lanes; ++i) a.lane[i] = std::fma(a.lane[i], b.lane[i], c.lane[i]);
  return a;
#else
  return a * b + c;
#endif
}
// For magnitudes below 2^22: adding 1.5 * 2^23 rounds to an integer.
FASTGAN_MATH Floats round_to_even(Floats a) {
  const Floats magic = broadcast<Floats>(12582912.0f);
  return (a + magic) - magic;
}
FASTGAN_MATH Floats scale_by_power(Floats a, Floats n) {
  for (int i = 0; i < Floats::kLanes; ++i) {
    // False if n is NaN, whose conversion to an integer is undefined. a is NaN then, too.
    const int32_t biased = n.lane[i] > -127.0f ? static_cast<int32_t>(n.lane[i]) + 127 : 0;
    float power;
    const uint32_t bits = static_cast<uint32_t>(biased) << 23;
    std::memcpy(&power, &bits, sizeof(power));
    a.lane[i] *= power;
  }
  return a;
}
FASTGAN_MATH Floats split_power(Floats a, Floats* k) {
  for (int i = 0; i < Floats::kLanes; ++i) {
    uint32_t bits;  // unsigned, as the subtraction below would overflow for negative numbers
    std::memcpy(&bits, &a.lane[i], sizeof(bits));
    const int32_t power = static_cast<int32_t>(bits - kRootHalf) >> 23;
    k->lane[i] = static_cast<float>(power);
    bits -= static_cast<uint32_t>(power) << 23;
    std::memcpy(&a.lane[i], &bits, sizeof(bits));
  }
  return a;
}
FASTGAN_MATH Doubles widened_sum(Floats a) {
  Doubles result;
  for (int i = 0; i < Doubles::kLanes; ++i) {
    result.lane[i] =
        static_cast<double>(a.lane[i]) + static_cast<double>(a.lane[i + Doubles::kLanes]);
  }
  return result;
}

template <int lanes>
FASTGAN_MATH Lanes<lanes> mask_and(Lanes<lanes> a, Lanes<lanes> b) {
  for (int i = 0; i < lanes; ++i) a.lane[i] &= b.lane[i];
  return a;
}
template <int lanes>
FASTGAN_MATH Lanes<lanes> mask_and_not(Lanes<lanes> a, Lanes<lanes> b) {
  for (int i = 0; i < lanes; ++i) a.lane[i] &= ~b.lane[i];
  return a;
}
template <class V>
FASTGAN_MATH typename V::Mask mask_from_bits(const uint8_t* bytes) {
  typename V::Mask result;
  for (int i = 0; i < V::kLanes; ++i)
    result.lane[i] = word_of(result, (bytes[i / kOctet] >> (i % kOctet)) & 1);
  return result;
}
template <int lanes>
FASTGAN_MATH void store_bits(uint8_t* bytes, Lanes<lanes> mask) {
  for (int octet = 0; octet < lanes / kOctet; ++octet) {
    uint32_t bits = 0;
    for (int i = 0; i < kOctet; ++i)
      bits |= static_cast<uint32_t>(mask.lane[octet * kOctet + i] & 1) << i;
    bytes[octet] = static_cast<uint8_t>(bits);
  }
}

// keep_octet() of octets first .. first + 15.
FASTGAN_MATH void keep_block(RandomKey random, int64_t first, uint32_t threshold, uint8_t* keep) {
  for (int i = 0; i < kBlockOctets; ++i) keep[i] = keep_octet(random, first + i, threshold);
}

// draw_entries() of rows first .. first + 15: word k of row first + i goes to words[16 k + i].
FASTGAN_MATH void draw_rows(RandomKey random, int64_t first, int64_t block, uint32_t* words) {
  for (int i = 0; i < kBlockOctets; ++i) {
    const PhiloxBlock drawn = draw_entries(random, first + i, block);
    for (int k = 0; k < kBlockEntries; ++k) words[k * kBlockOctets + i] = drawn.word[k];
  }
}

}  // namespace portable
}  // namespace fastgan
