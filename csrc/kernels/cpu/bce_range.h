// Included by bce.cpp once for each instruction set, after simd.h; no include guard.

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

// Whether all probabilities and targets so far are in [0, 1]. A lane is 1 if all of its values
// were, else 0.
template <class V>
struct InRange {
  V input, target;

  FASTGAN_MATH void check(V input_lanes, V target_lanes) {
    input = still_inside(input, input_lanes);
    target = still_inside(target, target_lanes);
  }

  static FASTGAN_MATH V still_inside(V so_far, V x) {
    const V one = broadcast<V>(1), zero = broadcast<V>(0);
    return zero_unless(mask_and(less_equal(zero, x), less_equal(x, one)), so_far);
  }

  static FASTGAN_MATH bool all(V so_far) {
    typename V::Scalar lane[V::kLanes];
    store(lane, so_far);
    return *std::min_element(lane, lane + V::kLanes) == 1;
  }

  FASTGAN_MATH void report(std::atomic<int>* outside) const {
    const int found = (all(input) ? 0 : kInputOutside) | (all(target) ? 0 : kTargetOutside);
    if (found != 0 && outside != nullptr) outside->fetch_or(found, std::memory_order_relaxed);
  }
};

template <class V>
FASTGAN_MATH InRange<V> all_inside() {
  return {broadcast<V>(1), broadcast<V>(1)};
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan
