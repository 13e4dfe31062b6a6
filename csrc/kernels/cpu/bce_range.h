// Included by bce.cpp once for each instruction set, after simd.h; no include guard.

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

// Which lanes of all vectors so far were in [0, 1]: 1, or else 0.
template <class V>
struct InRange {
  V input, target;

  FASTGAN_MATH void note(V input_lanes, V target_lanes) {
    input = noted(input, input_lanes);
    target = noted(target, target_lanes);
  }

  static FASTGAN_MATH V noted(V so_far, V x) {
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
FASTGAN_MATH InRange<V> none_outside() {
  return {broadcast<V>(1), broadcast<V>(1)};
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan
