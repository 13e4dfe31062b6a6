#ifndef FASTGAN_ISA

#include "kernels/bce.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <limits>

#include "kernels/cpu/bce_block.h"
#include "kernels/cpu/simd_common.h"

#define FASTGAN_THIS_FILE "kernels/cpu/bce.cpp"
#include "kernels/cpu/foreach_isa.h"

namespace fastgan {

template <class T>
void run_cpu(const BceLoss<T>& params, int64_t first, int64_t last) {
  FASTGAN_DISPATCH(loss, params, first, last);
}

template <class T>
void run_cpu(const BceGradient<T>& params, int64_t first, int64_t last) {
  FASTGAN_DISPATCH(gradient, params, first, last);
}

template <class T>
void run_cpu(const BceSum<T>& params, int64_t first, int64_t last) {
  FASTGAN_DISPATCH(sum, params, first, last);
}

template void run_cpu(const BceLoss<float>&, int64_t, int64_t);
template void run_cpu(const BceLoss<double>&, int64_t, int64_t);
template void run_cpu(const BceLoss<c10::Half>&, int64_t, int64_t);
template void run_cpu(const BceLoss<c10::BFloat16>&, int64_t, int64_t);
template void run_cpu(const BceGradient<float>&, int64_t, int64_t);
template void run_cpu(const BceGradient<double>&, int64_t, int64_t);
template void run_cpu(const BceGradient<c10::Half>&, int64_t, int64_t);
template void run_cpu(const BceGradient<c10::BFloat16>&, int64_t, int64_t);
template void run_cpu(const BceSum<float>&, int64_t, int64_t);
template void run_cpu(const BceSum<double>&, int64_t, int64_t);
template void run_cpu(const BceSum<c10::Half>&, int64_t, int64_t);
template void run_cpu(const BceSum<c10::BFloat16>&, int64_t, int64_t);

}  // namespace fastgan

#else

#include "kernels/cpu/simd.h"
#include "math/bce.h"
// After simd.h.
#include "kernels/cpu/bce_range.h"
#include "kernels/cpu/simd_sum.h"

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

// One vector of elements of each tensor.
template <class V>
struct Term {
  V input, target, weight, pos_weight;
};

template <class T>
FASTGAN_MATH Term<VectorOf<T> > load_term(const BlockAt<T>& block, int i, VectorOf<T> target_value,
                                          VectorOf<T> one) {
  return {load(block.input + i), block.target != nullptr ? load(block.target + i) : target_value,
          block.weight != nullptr ? load(block.weight + i) : one,
          block.pos_weight != nullptr ? load(block.pos_weight + i) : one};
}

template <class V>
FASTGAN_MATH LogitTarget<V> target_of(const Term<V>& term, bool has_pos_weight, V one) {
  return has_pos_weight ? logit_target(term.target, term.pos_weight, one)
                        : logit_target(term.target, one);
}

template <class V>
FASTGAN_MATH ProbabilityLimits<V> probability_limits() {
  using S = typename V::Scalar;
  return {broadcast<V>(0), broadcast<V>(1), broadcast<V>(kMostCost),
          broadcast<V>(static_cast<S>(kLeastUnclamped)),
          broadcast<V>(std::numeric_limits<S>::max())};
}

template <bool probabilities, class T>
FASTGAN_MATH VectorOf<T> loss_of(const BlockAt<T>& block, int i, VectorOf<T> target_value,
                                 InRange<VectorOf<T> >& in_range) {
  using V = VectorOf<T>;
  const V one = broadcast<V>(1), zero = broadcast<V>(0);
  const Term<V> term = load_term(block, i, target_value, one);
  V loss;
  if constexpr (probabilities) {
    in_range.check(term.input, term.target);
    loss = probability_loss(term.input, term.target, probability_limits<V>());
  } else {
    loss = logit_loss(term.input, exp_nonpositive(negative_absolute(term.input)),
                      target_of(term, block.pos_weight != nullptr, one), zero);
  }
  return block.weight != nullptr ? loss * term.weight : loss;
}

template <bool probabilities, class T>
FASTGAN_MATH VectorOf<T> gradient_of(const BlockAt<T>& block, int i, VectorOf<T> target_value) {
  using V = VectorOf<T>;
  const V one = broadcast<V>(1), zero = broadcast<V>(0);
  const Term<V> term = load_term(block, i, target_value, one);
  V gradient;
  if constexpr (probabilities) {
    // NaN, which the limits would hide, comes back with the product.
    gradient = probability_gradient(term.input, term.target, probability_limits<V>()) +
               zero * (term.input * term.target);
  } else {
    gradient =
        logit_gradient(term.input, sigmoid_of(exp_nonpositive(negative_absolute(term.input)), one),
                       target_of(term, block.pos_weight != nullptr, one), zero);
  }
  return block.weight != nullptr ? gradient * term.weight : gradient;
}

template <bool probabilities, class T>
FASTGAN_MATH void loss_block(const BlockAt<T>& block, VectorOf<T> target_value, T* loss,
                             InRange<VectorOf<T> >& in_range) {
  for (int i = 0; i < kBlock; i += VectorOf<T>::kLanes) {
    store(loss + i, loss_of<probabilities>(block, i, target_value, in_range));
  }
}

template <bool probabilities, class T>
FASTGAN_TARGET void loss_of_octets(const BceLoss<T>& params, int64_t first, int64_t last) {
  const BceTerms<T> terms = params.terms;
  const auto target_value = broadcast<VectorOf<T> >(terms.target_value);
  auto in_range = all_inside<VectorOf<T> >();
  const int64_t end = std::min(last * kOctet, terms.elements);
  int64_t element = first * kOctet;
  for (; element + kBlock <= end; element += kBlock) {
    loss_block<probabilities>(block_at(terms, element), target_value, params.loss + element,
                              in_range);
  }
  if (element < end) {
    PaddedBlock<T> padded;
    T result[kBlock];
    loss_block<probabilities>(padded.fill(block_at(terms, element), end - element), target_value,
                              result, in_range);
    std::copy_n(result, end - element, params.loss + element);
  }
  if (probabilities) in_range.report(terms.outside);
}

template <class T>
FASTGAN_TARGET void loss(const BceLoss<T>& params, int64_t first, int64_t last) {
  if (params.terms.probabilities) return loss_of_octets<true>(params, first, last);
  loss_of_octets<false>(params, first, last);
}

// The incoming gradient is grad * grad_factor, or grad_factor if grad is null.
template <bool probabilities, class T>
FASTGAN_MATH void gradient_block(const BlockAt<T>& block, VectorOf<T> target_value, const T* grad,
                                 VectorOf<T> grad_factor, T* grad_input) {
  for (int i = 0; i < kBlock; i += VectorOf<T>::kLanes) {
    const auto factor = grad != nullptr ? load(grad + i) * grad_factor : grad_factor;
    store(grad_input + i, gradient_of<probabilities>(block, i, target_value) * factor);
  }
}

template <bool probabilities, class T>
FASTGAN_TARGET void gradient_of_octets(const BceGradient<T>& params, int64_t first, int64_t last) {
  using S = Arithmetic<T>;
  const BceTerms<T> terms = params.terms;
  const auto target_value = broadcast<VectorOf<T> >(terms.target_value);
  const double number = params.grad_is_number ? static_cast<double>(params.grad[0]) : 1.0;
  const auto factor = broadcast<VectorOf<T> >(static_cast<S>(number * params.scale));
  const T* const grad = params.grad_is_number ? nullptr : params.grad;
  const int64_t end = std::min(last * kOctet, terms.elements);
  int64_t element = first * kOctet;
  for (; element + kBlock <= end; element += kBlock) {
    gradient_block<probabilities>(block_at(terms, element), target_value,
                                  grad ? grad + element : nullptr, factor,
                                  params.grad_input + element);
  }
  if (element >= end) return;
  PaddedBlock<T> padded;
  T padded_grad[kBlock], result[kBlock];
  const int64_t count = end - element;
  gradient_block<probabilities>(
      padded.fill(block_at(terms, element), count), target_value,
      PaddedBlock<T>::copy(grad ? grad + element : nullptr, count, padded_grad), factor, result);
  std::copy_n(result, count, params.grad_input + element);
}

template <class T>
FASTGAN_TARGET void gradient(const BceGradient<T>& params, int64_t first, int64_t last) {
  if (params.terms.probabilities) return gradient_of_octets<true>(params, first, last);
  gradient_of_octets<false>(params, first, last);
}

// Elements from `count` on are padding and are not added.
template <bool probabilities, class T>
FASTGAN_MATH void add_losses(const BlockAt<T>& block, int64_t count, VectorOf<T> target_value,
                             BlockSum<VectorOf<T> >& total, InRange<VectorOf<T> >& in_range) {
  using V = VectorOf<T>;
  V losses[BlockSum<V>::kVectors];
  for (int i = 0; i < BlockSum<V>::kVectors; ++i) {
    losses[i] = loss_of<probabilities>(block, i * V::kLanes, target_value, in_range);
  }
  if (count < kBlock) clear_from(losses, count);
  total.add(losses);
}

// Logits without weights: every log1p(e) has factor 1, so one logarithm serves a whole block.
template <class T>
FASTGAN_MATH void add_plain(const BlockAt<T>& block, int64_t count, VectorOf<T> target_value,
                            BlockSum<VectorOf<T> >& total) {
  using V = VectorOf<T>;
  const V one = broadcast<V>(1), zero = broadcast<V>(0);
  V linear[BlockSum<V>::kVectors], e[BlockSum<V>::kVectors];
  for (int i = 0; i < BlockSum<V>::kVectors; ++i) {
    const V x = load(block.input + i * V::kLanes);
    const V target = block.target != nullptr ? load(block.target + i * V::kLanes) : target_value;
    linear[i] = logit_linear(x, logit_target(target, one), zero);
    e[i] = exp_nonpositive(negative_absolute(x)).value;
  }
  if (count < kBlock) {
    clear_from(linear, count);
    clear_from(e, count);
  }
  total.add_vector(sum_of_log1p(e));
  total.add(linear);
}

template <class T>
FASTGAN_TARGET void sum(const BceSum<T>& params, int64_t first, int64_t last) {
  const BceTerms<T> terms = params.terms;
  const auto target_value = broadcast<VectorOf<T> >(terms.target_value);
  const bool plain = !terms.probabilities && terms.weight == nullptr && terms.pos_weight == nullptr;
  auto in_range = all_inside<VectorOf<T> >();
  PaddedBlock<T> padded;
  for (int64_t chunk = first; chunk < last; ++chunk) {
    BlockSum<VectorOf<T> > total{broadcast<Doubles>(0.0)};
    const int64_t end = std::min((chunk + 1) * kSumChunk, terms.elements);
    for (int64_t element = chunk * kSumChunk; element < end; element += kBlock) {
      const int64_t count = std::min<int64_t>(end - element, kBlock);
      BlockAt<T> block = block_at(terms, element);
      if (count < kBlock) block = padded.fill(block, count);
      if (plain) {
        add_plain(block, count, target_value, total);
      } else if (terms.probabilities) {
        add_losses<true>(block, count, target_value, total, in_range);
      } else {
        add_losses<false>(block, count, target_value, total, in_range);
      }
    }
    params.partials[chunk] = total.number();
  }
  if (terms.probabilities) in_range.report(terms.outside);
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan

#endif
