#pragma once

#include <cmath>

#include "macros.h"

// The operations in which the formulas of csrc/math are written, for scalars. A mask is a bool.
// kernels/cpu/simd.h has them for vectors, under the same names.

namespace fastgan {
namespace scalar {

template <class T>
FASTGAN_HD bool greater(T a, T b) {
  return a > b;
}

template <class T>
FASTGAN_HD bool less_equal(T a, T b) {
  return a <= b;
}

template <class T>
FASTGAN_HD bool equal(T a, T b) {
  return a == b;
}

template <class T>
FASTGAN_HD T select(bool mask, T where_set, T where_clear) {
  return mask ? where_set : where_clear;
}

template <class T>
FASTGAN_HD T zero_unless(bool mask, T value) {
  return mask ? value : T(0);
}

template <class T>
FASTGAN_HD T negative_absolute(T value) {
  return -std::fabs(value);
}

template <class T>
FASTGAN_HD T multiply_add(T a, T b, T c) {
  return a * b + c;
}

// a / b for b in [1, 2], 0 <= a and no result below the normal numbers, within 1 ulp; NaN where one
// of them is NaN.
FASTGAN_HD float quotient_by_series(float a, float b) {
  // The first inverse has a relative error of at most 1/8, and none at 1 and 2. Each of the two
  // steps after it cubes the error.
  float inverse = std::fma(-0.5f, b, 1.5f);
  float error = std::fma(-b, inverse, 1.0f);
  inverse = std::fma(inverse, std::fma(error, error, error), inverse);
  error = std::fma(-b, inverse, 1.0f);
  return a * std::fma(inverse, std::fma(error, error, error), inverse);
}

// a / b for b in [1, 2]. A GPU's own division is twice as many instructions, and a branch.
template <class T>
FASTGAN_HD T quotient(T a, T b) {
  return a / b;
}
#ifdef __CUDA_ARCH__
FASTGAN_HD float quotient(float a, float b) { return quotient_by_series(a, b); }
#endif

FASTGAN_HD bool mask_and(bool a, bool b) { return a && b; }
FASTGAN_HD bool mask_and_not(bool a, bool b) { return a && !b; }

}  // namespace scalar
}  // namespace fastgan
