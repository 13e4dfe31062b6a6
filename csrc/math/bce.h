// Compiled once a pass (macros.h): for scalars, and in kernels/cpu once for each instruction set's
// vectors.
#if !defined(FASTGAN_MATH_BCE_H) || defined(FASTGAN_ISA)
#define FASTGAN_MATH_BCE_H

#include "macros.h"
#include "math/exp_log.h"

// Binary cross-entropy, and its derivative by the logit or the probability. V is a number or a
// vector of numbers.

namespace fastgan {
namespace FASTGAN_PASS {

// With logits: loss = p softplus(-x) + q softplus(x), where p = pos_weight * target and q = 1 -
// target. With e = exp(-|x|) and softplus(|x|) = |x| + log1p(e), no term cancels another:
//
//   loss     = (x >= 0 ? q : -p) * x + (p + q) * log1p(e)
//   gradient = x >= 0 ? q - (p + q) * s : (p + q) * s - p,   s = e / (1 + e) = sigmoid(-|x|)
//
// PyTorch's formula for the loss, and sigmoid(x) - t for the gradient, lose digits at targets 0
// and 1.
template <class V>
struct LogitTarget {
  V positive;  // p
  V negative;  // q
  V sum;       // p + q
};

template <class V>
FASTGAN_MATH LogitTarget<V> logit_target(V target, V one) {
  return {target, one - target, one};
}

template <class V>
FASTGAN_MATH LogitTarget<V> logit_target(V target, V pos_weight, V one) {
  const V positive = pos_weight * target;
  return {positive, one - target, positive + (one - target)};
}

// s = sigmoid(-|x|), at most 1/2.
template <class V>
FASTGAN_MATH V sigmoid_of(Exp<V> e, V one) {
  return e.value / (one + e.value);
}

// The loss without its logarithm.
template <class V>
FASTGAN_MATH V logit_linear(V x, LogitTarget<V> target, V zero) {
  const V factor = select(less_equal(zero, x), target.negative, zero - target.positive);
  // A factor of 0 takes the term away, at an infinite logit too.
  return select(equal(factor, zero), zero, factor * x);
}

template <class V>
FASTGAN_MATH V logit_loss(V x, Exp<V> e, LogitTarget<V> target, V zero) {
  return logit_linear(x, target, zero) + target.sum * log1p_of(e);
}

// (1 + a) (1 + b) - 1 for a, b >= 0, to full relative accuracy. So a sum of many log1p(e) needs the
// logarithm once: log1p(a) + log1p(b) = log1p(joined(a, b)).
template <class V>
FASTGAN_MATH V joined(V a, V b) {
  return multiply_add(a, b, a + b);
}

template <class V>
FASTGAN_MATH V logit_gradient(V x, V sigmoid, LogitTarget<V> target, V zero) {
  const V both = target.sum * sigmoid;
  return select(less_equal(zero, x), target.negative - both, both - target.positive);
}

// sigmoid(x) from s = sigmoid(-|x|).
template <class V>
FASTGAN_MATH V probability_of(V x, V sigmoid, V zero, V one) {
  return select(less_equal(zero, x), one - sigmoid, sigmoid);
}

}  // namespace FASTGAN_PASS
}  // namespace fastgan

#endif
