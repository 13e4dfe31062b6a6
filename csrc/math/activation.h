// Compiled once a pass (macros.h): for scalars, and in kernels/cpu once for each instruction set's
// vectors.
#if !defined(FASTGAN_MATH_ACTIVATION_H) || defined(FASTGAN_ISA)
#define FASTGAN_MATH_ACTIVATION_H

#include "macros.h"
#include "math/activation_factors.h"
#ifndef FASTGAN_ISA
#include "math/scalar.h"
#endif

// y = dropout(clamp(gain * leaky_relu(x))), and its derivative. V is a number or a vector of
// numbers, M a mask of as many lanes.

namespace fastgan {
namespace FASTGAN_PASS {

template <class V, class M>
struct Activated {
  V value;     // 0 where dropped, whatever came in
  M active;    // gradient flows: kept and not clamped
  M positive;  // gradient factor 1 rather than negative_slope; clear at 0 and NaN, as in PyTorch
};

template <class V, class M>
FASTGAN_MATH Activated<V, M> activate(V x, M keep, const ActivationFactors<V>& factors) {
  const M positive = greater(x, factors.zero);
  V value = x * select(positive, factors.positive, factors.nonpositive);
  // ReLU: exactly 0 below, where -inf times 0 would be NaN.
  if (factors.zero_slope) value = select(less_equal(x, factors.zero), factors.zero, value);
  M active = keep;
  if (factors.has_clamp) {
    const M high = less_equal(factors.clamp, value);
    const M low = less_equal(value, factors.zero - factors.clamp);
    value = select(high, factors.clamp, select(low, factors.zero - factors.clamp, value)) *
            factors.scale;
    active = mask_and_not(mask_and_not(keep, high), low);
  }
  return {zero_unless(keep, value), active, positive};
}

template <class V, class M>
FASTGAN_MATH V activate_backward(V grad, M active, M positive,
                                 const ActivationFactors<V>& factors) {
  const M flows = factors.zero_slope ? mask_and(active, positive) : active;
  return zero_unless(flows, grad * select(positive, factors.positive, factors.nonpositive));
}

}  // namespace FASTGAN_PASS
}  // namespace fastgan

#endif
