// No include guard: included once for each FASTGAN_ISA_NAMESPACE (macros.h).

#include "macros.h"
#include "math/activation_factors.h"
#include "math/scalar.h"

// y = dropout(clamp(gain * leaky_relu(x))) and its derivative. V is a number or a vector of
// numbers, M a mask with as many lanes.

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

template <class V, class M>
struct Activated {
  V value;     // exactly 0 where dropped, whatever x is
  M active;    // gradient flows: kept and not clamped
  M positive;  // x > 0: the gradient's factor is 1, not negative_slope. Clear at 0 and NaN, as in
               // PyTorch
};

template <class V, class M>
FASTGAN_MATH Activated<V, M> activate(V x, M keep, const ActivationFactors<V>& factors) {
  const M positive = greater(x, factors.zero);
  V value;
  if (factors.zero_slope) {
    // ReLU gives exactly 0 for x <= 0. The product with 0 would be NaN at -inf.
    value = select(less_equal(x, factors.zero), factors.zero, x * factors.positive);
  } else {
    value = x * select(positive, factors.positive, factors.nonpositive);
  }
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

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan
