#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <limits>

#include "kernels/bce.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/octet_io.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/reduction.h"
#include "math/bce.h"

// One thread handles one octet. T is the type of input and target, Arithmetic<T> that of the
// weights. Which tensors are given is a run-time
// branch, not a template parameter, as all threads branch alike.

namespace fastgan {
namespace {

// The elements of one octet in all tensors.
template <class T>
struct OctetTerms {
  using S = Arithmetic<T>;

  S input[kOctet], target[kOctet], weight[kOctet], pos_weight[kOctet];
  bool has_pos_weight;

  __device__ __forceinline__ OctetTerms(const BceTerms<T>& terms, int64_t octet, bool aligned)
      : has_pos_weight(terms.pos_weight != nullptr) {
    load_octet(terms.input, octet, terms.elements, aligned, input);
    load_or_fill(terms.target, octet, terms.elements, aligned, terms.target_value, target);
    load_or_fill(terms.weight, octet, terms.elements, aligned, S(1), weight);
    load_or_fill(terms.pos_weight, octet, terms.elements, aligned, S(1), pos_weight);
  }

  template <class N>
  static __device__ __forceinline__ void load_or_fill(const N* base, int64_t octet,
                                                      int64_t elements, bool aligned, S number,
                                                      S (&out)[kOctet]) {
    if (base != nullptr) {
      load_octet(base, octet, elements, aligned, out);
      return;
    }
#pragma unroll
    for (int i = 0; i < kOctet; ++i) out[i] = number;
  }

  __device__ __forceinline__ scalar::LogitTarget<S> logit_target(int i) const {
    return has_pos_weight ? scalar::logit_target(target[i], pos_weight[i], S(1))
                          : scalar::logit_target(target[i], S(1));
  }

  // Probabilities or targets outside [0, 1] give NaN. Raising an error would have to wait for the
  // GPU, and a device assertion, as PyTorch has, makes the CUDA context unusable.
  __device__ __forceinline__ S nan_outside(int i, S result) const {
    const bool inside =
        input[i] >= S(0) && input[i] <= S(1) && target[i] >= S(0) && target[i] <= S(1);
    return inside ? result : std::numeric_limits<S>::quiet_NaN();
  }

  template <bool probabilities>
  __device__ __forceinline__ S loss(int i) const {
    const S x = input[i];
    if constexpr (probabilities) {
      const S loss = scalar::probability_loss(x, target[i], probability_limits());
      return weight[i] * nan_outside(i, loss);
    } else {
      const auto e = scalar::exp_nonpositive(scalar::negative_absolute(x));
      return weight[i] * scalar::logit_loss(x, e, logit_target(i), S(0));
    }
  }

  // The sum of the first `count` losses, for logits without weights. One logarithm serves all.
  __device__ __forceinline__ S plain_sum(int64_t count) const {
    S linear = 0, product = 0;
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      if (i >= count) continue;
      const S x = input[i];
      linear += scalar::logit_linear(x, scalar::logit_target(target[i], S(1)), S(0));
      product =
          scalar::joined(product, scalar::exp_nonpositive(scalar::negative_absolute(x)).value);
    }
    return linear + scalar::log1p_nonnegative(product);
  }

  template <bool probabilities>
  __device__ __forceinline__ S gradient(int i) const {
    const S x = input[i];
    if constexpr (probabilities) {
      const S gradient = scalar::probability_gradient(x, target[i], probability_limits());
      return weight[i] * nan_outside(i, gradient);
    } else {
      const auto e = scalar::exp_nonpositive(scalar::negative_absolute(x));
      const S sigmoid = scalar::sigmoid_of(e, S(1));
      return weight[i] * scalar::logit_gradient(x, sigmoid, logit_target(i), S(0));
    }
  }

  static __device__ __forceinline__ scalar::ProbabilityLimits<S> probability_limits() {
    return {S(0), S(1), S(kMostCost), static_cast<S>(kLeastUnclamped),
            std::numeric_limits<S>::max()};
  }
};

// Registers: 64, double 96.
template <class T, bool probabilities>
__global__ void __launch_bounds__(kThreads) bce_loss(BceLoss<T> params, bool aligned) {
  const int64_t octets = octets_of(params.terms.elements);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t octet = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; octet < octets;
       octet += stride) {
    const OctetTerms<T> terms(params.terms, octet, aligned);
    Arithmetic<T> loss[kOctet];
#pragma unroll
    for (int i = 0; i < kOctet; ++i) loss[i] = terms.template loss<probabilities>(i);
    store_octet(params.loss, octet, params.terms.elements, aligned, loss);
  }
}

// Registers: 64, double 120.
template <class T, bool probabilities>
__global__ void __launch_bounds__(kThreads) bce_gradient(BceGradient<T> params, bool aligned) {
  using S = Arithmetic<T>;
  const int64_t octets = octets_of(params.terms.elements);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const S number = static_cast<S>(
      (params.grad_is_number ? static_cast<double>(params.grad[0]) : 1.0) * params.scale);
  for (int64_t octet = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; octet < octets;
       octet += stride) {
    const OctetTerms<T> terms(params.terms, octet, aligned);
    S grad[kOctet];
    const T* const grads = params.grad_is_number ? nullptr : params.grad;
    OctetTerms<T>::load_or_fill(grads, octet, params.terms.elements, aligned, S(1), grad);
#pragma unroll
    for (int i = 0; i < kOctet; ++i)
      grad[i] = terms.template gradient<probabilities>(i) * (grad[i] * number);
    store_octet(params.grad_input, octet, params.terms.elements, aligned, grad);
  }
}

// Registers: 64, double 104.
template <class T, bool probabilities>
__global__ void __launch_bounds__(kThreads) bce_sum(BceSum<T> params, bool aligned) {
  const int64_t elements = params.terms.elements;
  const int64_t octets = octets_of(elements);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const bool plain =
      !probabilities && params.terms.weight == nullptr && params.terms.pos_weight == nullptr;
  double sum = 0.0;
  for (int64_t octet = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; octet < octets;
       octet += stride) {
    const OctetTerms<T> terms(params.terms, octet, aligned);
    Arithmetic<T> loss = 0;
    if (plain) {
      loss = terms.plain_sum(elements - octet * kOctet);
    } else {
#pragma unroll
      for (int i = 0; i < kOctet; ++i) {
        if (octet * kOctet + i < elements) loss += terms.template loss<probabilities>(i);
      }
    }
    sum += loss;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) params.partials[blockIdx.x] = sum;
  if (!last_block(params.ticket)) return;
  sum = sum_of_partials(params.partials, 0, gridDim.x);
  if (threadIdx.x == 0) params.result[0] = static_cast<T>(sum * params.scale);
}

// Octets are multiples of 16 bytes, so aligned tensors have aligned octets.
template <class T>
bool all_aligned(const BceTerms<T>& terms) {
  return aligned16(terms.input) && aligned16(terms.target) && aligned16(terms.weight) &&
         aligned16(terms.pos_weight);
}

}  // namespace

template <class T>
void run_cuda(const BceLoss<T>& params, CUstream_st* stream) {
  const bool aligned = all_aligned(params.terms) && aligned16(params.loss);
  launch("bce", params.terms.probabilities ? bce_loss<T, true> : bce_loss<T, false>,
         blocks_for(octets_of(params.terms.elements)), stream, params, aligned);
}

template <class T>
void run_cuda(const BceGradient<T>& params, CUstream_st* stream) {
  const bool aligned = all_aligned(params.terms) && aligned16(params.grad_input) &&
                       (params.grad_is_number || aligned16(params.grad));
  launch("bce_backward",
         params.terms.probabilities ? bce_gradient<T, true> : bce_gradient<T, false>,
         blocks_for(octets_of(params.terms.elements)), stream, params, aligned);
}

template <class T>
void run_cuda(const BceSum<T>& params, CUstream_st* stream) {
  launch("bce", params.terms.probabilities ? bce_sum<T, true> : bce_sum<T, false>,
         sum_blocks(params.terms.elements), stream, params, all_aligned(params.terms));
}

template void run_cuda(const BceLoss<float>&, CUstream_st*);
template void run_cuda(const BceLoss<double>&, CUstream_st*);
template void run_cuda(const BceLoss<c10::Half>&, CUstream_st*);
template void run_cuda(const BceLoss<c10::BFloat16>&, CUstream_st*);
template void run_cuda(const BceGradient<float>&, CUstream_st*);
template void run_cuda(const BceGradient<double>&, CUstream_st*);
template void run_cuda(const BceGradient<c10::Half>&, CUstream_st*);
template void run_cuda(const BceGradient<c10::BFloat16>&, CUstream_st*);
template void run_cuda(const BceSum<float>&, CUstream_st*);
template void run_cuda(const BceSum<double>&, CUstream_st*);
template void run_cuda(const BceSum<c10::Half>&, CUstream_st*);
template void run_cuda(const BceSum<c10::BFloat16>&, CUstream_st*);

}  // namespace fastgan
