// No include guard: included once for each FASTGAN_ISA_NAMESPACE (macros.h).

#include "macros.h"
#include "math/exp_log.h"
#include "math/scalar.h"

// Binary cross-entropy and its derivative with respect to the logit or the probability. V is a
// number or a vector of numbers.

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

// With logits: loss = p softplus(-x) + q softplus(x), where p = pos_weight * target and q = 1 -
// target. With e = exp(-|x|) and softplus(|x|) = |x| + log1p(e) no two terms cancel:
//
//   loss     = (x >= 0 ? q : -p) * x + (p + q) * log1p(e)
//   gradient = x >= 0 ? q - (p + q) * s : (p + q) * s - p,   s = e / (1 + e) = sigmoid(-|x|)
//
// PyTorch's formula for the loss and sigmoid(x) - t for the gradient lose digits at targets 0 and
// 1.
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
  return quotient(e.value, one + e.value);
}

// The loss without the term that holds the logarithm.
template <class V>
FASTGAN_MATH V logit_linear(V x, LogitTarget<V> target, V zero) {
  const V factor = select(less_equal(zero, x), target.negative, zero - target.positive);
  // A factor of 0 gives 0. The product would be NaN at an infinite logit.
  return select(equal(factor, zero), zero, factor * x);
}

template <class V>
FASTGAN_MATH V logit_loss(V x, Exp<V> e, LogitTarget<V> target, V zero) {
  return logit_linear(x, target, zero) + target.sum * log1p_of(e);
}

// (1 + a) (1 + b) - 1 for a, b >= 0, to full relative accuracy. A sum of many log1p(e) then needs
// one logarithm: log1p(a) + log1p(b) = log1p(joined(a, b)).
template <class V>
FASTGAN_MATH V joined(V a, V b) {
  return multiply_add(a, b, a + b);
}

template <class V>
FASTGAN_MATH V logit_gradient(V x, V sigmoid, LogitTarget<V> target, V zero) {
  const V both = target.sum * sigmoid;
  return select(less_equal(zero, x), target.negative - both, both - target.positive);
}

// sigmoid(x) from e = exp(-|x|).
template <class V>
FASTGAN_MATH V probability_of(V x, Exp<V> e, V zero, V one) {
  return quotient(select(less_equal(zero, x), one, e.value), one + e.value);
}

// On probabilities: loss = -t max(log(p), -100) - (1 - t) max(log(1 - p), -100), with PyTorch's
// clamp at -100. The gradient is that of the clamped loss: (1 - t) / (1 - p) - t / p, where the
// term of a clamped logarithm is 0. It is never NaN, -1 at (p, t) = (1, 1) and 1 at (0, 0). PyTorch
// divides by max(p (1 - p), 1e-12) instead: at p = sigmoid(-50) and target 1 the logit's gradient
// is then about 0, where it should be -1.
template <class V>
struct ProbabilityLimits {
  V zero, one;
  V most_cost;        // 100
  V least_unclamped;  // exp(-100), a denormal in float32
  V most;             // the largest finite number, as t / p overflows where p is a denormal
};

template <class V>
FASTGAN_MATH V probability_loss(V p, V target, const ProbabilityLimits<V>& limits) {
  V cost_p = limits.zero - log_of(p), cost_q = limits.zero - log_complement(p);
  cost_p = select(greater(cost_p, limits.most_cost), limits.most_cost, cost_p);
  cost_q = select(greater(cost_q, limits.most_cost), limits.most_cost, cost_q);
  return target * cost_p + (limits.one - target) * cost_q;
}

template <class V>
FASTGAN_MATH V probability_gradient(V p, V target, const ProbabilityLimits<V>& limits) {
  // A processor that treats denormals as 0 also treats least_unclamped as 0, so p > 0 is tested as
  // well.
  const auto unclamped = mask_and(greater(p, limits.zero), less_equal(limits.least_unclamped, p));
  const V by_log_p = zero_unless(unclamped, target / p);
  const V by_log_q = zero_unless(greater(limits.one, p), (limits.one - target) / (limits.one - p));
  return by_log_q - select(greater(by_log_p, limits.most), limits.most, by_log_p);
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan
