// No include guard: included once for each FASTGAN_ISA_NAMESPACE (macros.h).

#include "macros.h"
#include "math/exp_log.h"
#include "math/scalar.h"

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

// A number with a Gumbel distribution, from one that is uniform in (0, 1): Gumbel, Statistical
// Theory of Extreme Values (1954). The largest of x + gumbel is a draw from softmax(x). The inner
// logarithm is of 1 - uniform, as this keeps the digits of a small `uniform`, from which the large
// numbers come.
template <class V>
FASTGAN_MATH V gumbel_of(V uniform, V zero) {
  return zero - log_of(zero - log_complement(uniform));
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan
