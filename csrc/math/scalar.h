#pragma once

#include "macros.h"

// The scalar pass's spelling of the operations in which csrc/math's formulas are written;
// kernels/cpu/simd.h gives the same names to vectors. A mask of one lane is a bool.

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
FASTGAN_HD T select(bool mask, T where_set, T where_clear) {
  return mask ? where_set : where_clear;
}

template <class T>
FASTGAN_HD T zero_unless(bool mask, T value) {
  return mask ? value : T(0);
}

template <class T>
FASTGAN_HD bool equal(T a, T b) {
  return a == b;
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
