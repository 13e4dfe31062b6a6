#pragma once

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
  return value > T(0) ? -value : value;
}

template <class T>
FASTGAN_HD T multiply_add(T a, T b, T c) {
  return a * b + c;
}

FASTGAN_HD bool mask_and(bool a, bool b) { return a && b; }
FASTGAN_HD bool mask_and_not(bool a, bool b) { return a && !b; }

}  // namespace scalar
}  // namespace fastgan
