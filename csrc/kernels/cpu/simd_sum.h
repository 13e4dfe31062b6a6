// Sums of many blocks in double precision, in the same order for all instruction sets. Included
// once for each instruction set, after simd.h; no include guard.

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

FASTGAN_MATH Doubles widened_sum(Doubles a) { return a; }

template <class V>
struct BlockSum {
  static constexpr int kVectors = kBlock / V::kLanes;

  Doubles lanes;  // the caller sets it to 0: an initialiser here would lack the target attribute

  // Adds a block's 128 numbers: as a tree in their own precision, three or four roundings deep,
  // down to one vector, then in double.
  FASTGAN_MATH void add(V (&block)[kVectors]) {
    for (int step = kVectors / 2; step > 0; step /= 2) {
      for (int i = 0; i < step; ++i) block[i] = block[i] + block[i + step];
    }
    add_vector(block[0]);
  }

  FASTGAN_MATH void add_vector(V vector) { lanes = lanes + widened_sum(vector); }

  FASTGAN_MATH double number() const {
    double lane[Doubles::kLanes];
    store(lane, lanes);
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
  }
};

// The sum of log1p(e) over a block's vectors, lane by lane, for e in [0, 1]. It takes one
// logarithm: see joined() in math/bce.h.
template <class V, int vectors>
FASTGAN_MATH V sum_of_log1p(V (&e)[vectors]) {
  for (int step = vectors / 2; step > 0; step /= 2) {
    for (int i = 0; i < step; ++i) e[i] = joined(e[i], e[i + step]);
  }
  return log1p_nonnegative(e[0]);
}

// Sets a block's numbers from number `count` on to 0.
template <class V, int vectors>
FASTGAN_TARGET void clear_from(V (&block)[vectors], int64_t count) {
  typename V::Scalar number[kBlock];
  for (int i = 0; i < vectors; ++i) store(number + i * V::kLanes, block[i]);
  std::fill(number + count, number + kBlock, typename V::Scalar(0));
  for (int i = 0; i < vectors; ++i) block[i] = load(number + i * V::kLanes);
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan
