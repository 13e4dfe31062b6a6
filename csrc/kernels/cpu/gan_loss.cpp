#ifndef FASTGAN_ISA

#include "kernels/gan_loss.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>

#include "kernels/cpu/simd_common.h"

namespace fastgan {
namespace {

// One chunk: elements [first, last) of a side.
struct Chunk {
  int side;
  int64_t first;
  int64_t last;
};

template <class Params>
Chunk chunk_at(const Params& params, int64_t chunk) {
  const int64_t before = chunks_of(params.side[0].elements);
  const int side = chunk < before ? 0 : 1;
  const int64_t first = (chunk - (side == 0 ? 0 : before)) * kSumChunk;
  return {side, first, std::min(first + kSumChunk, params.side[side].elements)};
}

}  // namespace
}  // namespace fastgan

#define FASTGAN_THIS_FILE "kernels/cpu/gan_loss.cpp"
#include "kernels/cpu/foreach_isa.h"

namespace fastgan {

template <class T>
void run_cpu(const GanLoss<T>& params, int64_t first, int64_t last) {
  FASTGAN_DISPATCH(gan_loss, params, first, last);
}

template <class T>
void run_cpu(const GanGradient<T>& params, int64_t first, int64_t last) {
  FASTGAN_DISPATCH(gan_gradient, params, first, last);
}

template void run_cpu(const GanLoss<float>&, int64_t, int64_t);
template void run_cpu(const GanLoss<double>&, int64_t, int64_t);
template void run_cpu(const GanLoss<c10::Half>&, int64_t, int64_t);
template void run_cpu(const GanLoss<c10::BFloat16>&, int64_t, int64_t);
template void run_cpu(const GanGradient<float>&, int64_t, int64_t);
template void run_cpu(const GanGradient<double>&, int64_t, int64_t);
template void run_cpu(const GanGradient<c10::Half>&, int64_t, int64_t);
template void run_cpu(const GanGradient<c10::BFloat16>&, int64_t, int64_t);

}  // namespace fastgan

#else

#include "kernels/cpu/simd.h"
#include "math/bce.h"
// After simd.h.
#include "kernels/cpu/simd_sum.h"

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

template <class V>
struct GanBlockSums {
  BlockSum<V> linear, logarithm, probability, right;
};

// Elements from `count` on are padding, logits of 0, and add nothing.
template <bool statistics, class T>
FASTGAN_MATH void add_block(const T* logits, int64_t count, int side,
                            LogitTarget<VectorOf<T> > target, GanBlockSums<VectorOf<T> >& sums) {
  using V = VectorOf<T>;
  constexpr int kVectors = BlockSum<V>::kVectors;
  const V one = broadcast<V>(1), zero = broadcast<V>(0);
  V linear[kVectors], e[kVectors], probability[kVectors], right[kVectors];
  for (int i = 0; i < kVectors; ++i) {
    const V x = load(logits + i * V::kLanes);
    const Exp<V> exponential = exp_nonpositive(negative_absolute(x));
    linear[i] = logit_linear(x, target, zero);
    e[i] = exponential.value;
    if (statistics) {
      probability[i] = probability_of(x, exponential, zero, one);
      right[i] = zero_unless(side == 0 ? greater(x, zero) : greater(zero, x), one);
    }
  }
  if (count < kBlock) {
    clear_from(e, count);
    if (statistics) clear_from(probability, count);
  }
  sums.logarithm.add_vector(sum_of_log1p(e));
  sums.linear.add(linear);
  if (!statistics) return;
  sums.probability.add(probability);
  sums.right.add(right);
}

template <bool statistics, class T>
FASTGAN_TARGET void sum_side(const GanSide<T>& side, const Chunk& chunk, GanSums& result) {
  using V = VectorOf<T>;
  const LogitTarget<V> target = logit_target(broadcast<V>(side.target), broadcast<V>(1));
  const BlockSum<V> none{broadcast<Doubles>(0.0)};
  GanBlockSums<V> sums{none, none, none, none};
  int64_t element = chunk.first;
  for (; element + kBlock <= chunk.last; element += kBlock) {
    add_block<statistics>(side.logits + element, kBlock, chunk.side, target, sums);
  }
  if (element < chunk.last) {
    T padded[kBlock] = {};
    std::copy(side.logits + element, side.logits + chunk.last, padded);
    add_block<statistics>(padded, chunk.last - element, chunk.side, target, sums);
  }
  result = {sums.linear.number() + sums.logarithm.number(), sums.probability.number(),
            sums.right.number()};
}

template <class T>
FASTGAN_TARGET void gan_loss(const GanLoss<T>& params, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; ++i) {
    const Chunk chunk = chunk_at(params, i);
    if (params.statistics != nullptr) {
      sum_side<true>(params.side[chunk.side], chunk, params.partials[i]);
    } else {
      sum_side<false>(params.side[chunk.side], chunk, params.partials[i]);
    }
  }
}

template <class T>
FASTGAN_MATH void gradient_block(const T* logits, LogitTarget<VectorOf<T> > target,
                                 VectorOf<T> factor, T* grad_logits) {
  using V = VectorOf<T>;
  const V one = broadcast<V>(1), zero = broadcast<V>(0);
  for (int i = 0; i < kBlock; i += V::kLanes) {
    const V x = load(logits + i);
    const V sigmoid = sigmoid_of(exp_nonpositive(negative_absolute(x)), one);
    store(grad_logits + i, logit_gradient(x, sigmoid, target, zero) * factor);
  }
}

template <class T>
FASTGAN_TARGET void gan_gradient(const GanGradient<T>& params, int64_t first, int64_t last) {
  using V = VectorOf<T>;
  for (int64_t i = first; i < last; ++i) {
    const Chunk chunk = chunk_at(params, i);
    const GanSide<T> side = params.side[chunk.side];
    const LogitTarget<V> target = logit_target(broadcast<V>(side.target), broadcast<V>(1));
    const double number = mean_of(static_cast<double>(params.grad[0]) * side.weight, side.elements);
    const V factor = broadcast<V>(static_cast<typename V::Scalar>(number));
    int64_t element = chunk.first;
    for (; element + kBlock <= chunk.last; element += kBlock) {
      gradient_block(side.logits + element, target, factor, side.grad_logits + element);
    }
    if (element == chunk.last) continue;
    T padded[kBlock] = {}, result[kBlock];
    std::copy(side.logits + element, side.logits + chunk.last, padded);
    gradient_block(padded, target, factor, result);
    std::copy_n(result, chunk.last - element, side.grad_logits + element);
  }
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan

#endif
