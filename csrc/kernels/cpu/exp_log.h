// Exponential and logarithms of vectors: the vector counterparts of math/exp_log.h, under the same
// names. Included by simd.h once for each instruction set, so there is no include guard.
//
// Floats take polynomials. Their coefficients are our own minimax fits (weighted least squares,
// reweighted). log1p(exp(x)) is within 0.9 ulp. Doubles call the C library for each lane.
//
// NaN gives NaN, except in log_of() of Floats, which takes NaN's bits for a number's and gives a
// finite result. Row bce is safe from that: probability_loss() also takes log_complement(), which
// gives NaN, and the op raises an error for every probability that is NaN or outside [0, 1]
// (bce_range.h). Row condition_loss adds the NaN again.

#include <cmath>

#include "math/exp_log.h"

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

// math/scalar.h has it, as a GPU has a cheaper one.
template <class V>
FASTGAN_MATH V quotient(V a, V b) {
  return a / b;
}

// exp(x) for x <= 0: a power of two times a polynomial on [-log(2)/2, log(2)/2], as in Cody and
// Waite, Software Manual for the Elementary Functions (1980), chapter 6. Below -87.3 the result is
// a denormal or 0, below -104 it is 0.
FASTGAN_MATH Exp<Floats> exp_nonpositive(Floats unlimited) {
  const Floats x = at_least(broadcast<Floats>(-110.0f), unlimited);
  const Floats n = round_to_even(x * broadcast<Floats>(1.442695041f));
  // log(2) in two parts. The first has 11 bits, so that its product with n is exact.
  const Floats rest = broadcast<Floats>(2.12194440e-4f);
  const Floats most = multiply_add(n, broadcast<Floats>(-0.693359375f), x);
  const Floats r = multiply_add(n, rest, most);
  Floats q = broadcast<Floats>(0.00138144649f);
  q = multiply_add(q, r, broadcast<Floats>(0.00836878084f));
  q = multiply_add(q, r, broadcast<Floats>(0.0416683927f));
  q = multiply_add(q, r, broadcast<Floats>(0.166665196f));
  q = multiply_add(q, r, broadcast<Floats>(0.49999994f));
  q = r * r * q;
  const Floats one = broadcast<Floats>(1.0f);
  const Floats above_one = r + q;
  const Floats value = one + above_one;
  // What the three additions above rounded away (Dekker 1971).
  const Floats error =
      ((one - value) + above_one) + (((r - above_one) + q) + multiply_add(n, rest, most - r));
  return {scale_by_power(value, n), scale_by_power(error, n)};
}

// log1p(e) for e in [0, 1], as log1p(f) = f - f^2 / 2 + f^3 R(f) for f in [-1/4, 1/2], where 1 + e
// is 1 + f or 2 (1 + f).
FASTGAN_MATH Floats log1p_of(Exp<Floats> exponential) {
  const Floats half = broadcast<Floats>(0.5f), one = broadcast<Floats>(1.0f);
  const Floats e = exponential.value;
  const auto halved = greater(e, half);
  const Floats f = select(halved, (e - one) * half, e);
  Floats r = broadcast<Floats>(-0.042886816f);
  r = multiply_add(r, f, broadcast<Floats>(0.101807654f));
  r = multiply_add(r, f, broadcast<Floats>(-0.130664155f));
  r = multiply_add(r, f, broadcast<Floats>(0.144931659f));
  r = multiply_add(r, f, broadcast<Floats>(-0.166594535f));
  r = multiply_add(r, f, broadcast<Floats>(0.19991678f));
  r = multiply_add(r, f, broadcast<Floats>(-0.249997556f));
  r = multiply_add(r, f, broadcast<Floats>(0.333334088f));
  // The error adds error / (1 + e), where 1 - e / 2 stands for 1 / (1 + e): at most an eighth more.
  const Floats slope = multiply_add(e, broadcast<Floats>(-0.5f), one);
  Floats small = multiply_add(f * f, f * r, exponential.error * slope);
  small = multiply_add(f * f, broadcast<Floats>(-0.5f), small);
  const Floats log_two = zero_unless(halved, broadcast<Floats>(0.693147182f));
  const Floats large = log_two + f;
  return large + (small + ((log_two - large) + f));
}

// log(x) for normal x > 0, as k log(2) + log1p(f), where x = 2^k (1 + f) and 1 + f lies between
// sqrt(1/2) and sqrt(2). At 0 a finite number below -87.
FASTGAN_MATH Floats log_normal(Floats x) {
  Floats k;
  const Floats f = split_power(x, &k) - broadcast<Floats>(1.0f);
  Floats r = broadcast<Floats>(-0.0763442963f);
  r = multiply_add(r, f, broadcast<Floats>(0.127615497f));
  r = multiply_add(r, f, broadcast<Floats>(-0.131601945f));
  r = multiply_add(r, f, broadcast<Floats>(0.142017618f));
  r = multiply_add(r, f, broadcast<Floats>(-0.166233569f));
  r = multiply_add(r, f, broadcast<Floats>(0.200012267f));
  r = multiply_add(r, f, broadcast<Floats>(-0.250008225f));
  r = multiply_add(r, f, broadcast<Floats>(0.333333313f));
  // log(2) as in exp_nonpositive.
  Floats small = multiply_add(k, broadcast<Floats>(-2.12194440e-4f), f * f * f * r);
  small = multiply_add(f * f, broadcast<Floats>(-0.5f), small);
  return multiply_add(k, broadcast<Floats>(0.693359375f), f + small);
}

// log(1 + x) for finite x >= 0: the logarithm of the rounded sum, and a correction for what
// rounding took away.
FASTGAN_MATH Floats log1p_nonnegative(Floats x) {
  const Floats one = broadcast<Floats>(1.0f);
  const Floats sum = one + x;
  return log_normal(sum) + (x - (sum - one)) / sum;
}

// log(x) for finite x >= 0, denormals included. At 0 a finite number below -105.
FASTGAN_MATH Floats log_of(Floats x) {
  const auto tiny = greater(broadcast<Floats>(1e-30f), x);
  const Floats logarithm = log_normal(select(tiny, x * broadcast<Floats>(4294967296.0f), x));
  return logarithm - zero_unless(tiny, broadcast<Floats>(22.1807098f));  // 32 log(2)
}

// log(1 - x) for x in [0, 1], corrected as in log1p_nonnegative(). At 1 a finite number below -105.
FASTGAN_MATH Floats log_complement(Floats x) {
  const Floats one = broadcast<Floats>(1.0f), zero = broadcast<Floats>(0.0f);
  const Floats difference = one - x;
  const Floats lost = (one - difference) - x;
  return log_of(difference) + select(equal(difference, zero), zero, lost / difference);
}

// tanh(x) as (1 - e) / (1 + e) for e = exp(-2 |x|), with the sign of x. Subtracting the exponential
// and its rounding error one after the other keeps the digits of a small x.
FASTGAN_MATH Floats tanh_of(Floats x) {
  const Floats one = broadcast<Floats>(1.0f), zero = broadcast<Floats>(0.0f);
  const Exp<Floats> e = exp_nonpositive(broadcast<Floats>(2.0f) * negative_absolute(x));
  const Floats magnitude = ((one - e.value) - e.error) / (one + e.value);
  return select(greater(zero, x), zero - magnitude, magnitude);
}

FASTGAN_TARGET inline Exp<Doubles> exp_nonpositive(Doubles x) {
  double lane[Doubles::kLanes];
  store(lane, x);
  for (int i = 0; i < Doubles::kLanes; ++i) lane[i] = std::exp(lane[i]);
  return {load(lane), broadcast<Doubles>(0.0)};
}

FASTGAN_TARGET inline Doubles log1p_nonnegative(Doubles x) {
  double lane[Doubles::kLanes];
  store(lane, x);
  for (int i = 0; i < Doubles::kLanes; ++i) lane[i] = std::log1p(lane[i]);
  return load(lane);
}

FASTGAN_MATH Doubles log1p_of(Exp<Doubles> e) { return log1p_nonnegative(e.value); }

FASTGAN_TARGET inline Doubles log_of(Doubles x) {
  double lane[Doubles::kLanes];
  store(lane, x);
  for (int i = 0; i < Doubles::kLanes; ++i) lane[i] = std::log(lane[i]);
  return load(lane);
}

FASTGAN_TARGET inline Doubles log_complement(Doubles x) {
  double lane[Doubles::kLanes];
  store(lane, x);
  for (int i = 0; i < Doubles::kLanes; ++i) lane[i] = std::log1p(-lane[i]);
  return load(lane);
}

FASTGAN_TARGET inline Doubles tanh_of(Doubles x) {
  double lane[Doubles::kLanes];
  store(lane, x);
  for (int i = 0; i < Doubles::kLanes; ++i) lane[i] = std::tanh(lane[i]);
  return load(lane);
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan
