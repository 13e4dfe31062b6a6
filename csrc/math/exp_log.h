#pragma once

#include <cmath>

#include "macros.h"
#include "math/scalar.h"

// Exponential and logarithms, the functions that binary cross-entropy, softmax and Gumbel noise are
// made of, and tanh. Scalars take them from the C library; kernels/cpu/exp_log.h has them for
// vectors. NaN gives NaN.

namespace fastgan {

// exp(x) for x <= 0. V is a number or a vector of numbers.
template <class V>
struct Exp {
  V value;  // rounded
  V error;  // the rounding error, exp(x) - value, as far as it is known
};

namespace scalar {

template <class T>
FASTGAN_HD Exp<T> exp_nonpositive(T x) {
  return {std::exp(x), T(0)};
}

// log(1 + exp(x)).
template <class T>
FASTGAN_HD T log1p_of(Exp<T> e) {
  return std::log1p(e.value);
}

// log(1 + x) for x >= 0.
template <class T>
FASTGAN_HD T log1p_nonnegative(T x) {
  return std::log1p(x);
}

template <class T>
FASTGAN_HD T log_of(T x) {
  return std::log(x);
}

// log(1 - x).
template <class T>
FASTGAN_HD T log_complement(T x) {
  return std::log1p(-x);
}

template <class T>
FASTGAN_HD T tanh_of(T x) {
  return std::tanh(x);
}

}  // namespace scalar
}  // namespace fastgan
