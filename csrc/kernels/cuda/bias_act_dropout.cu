#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "kernels/bias_act_dropout.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/octet_io.cuh"
#include "math/activation.h"

// One thread handles one octet and draws one Philox block. A warp writes 32 consecutive bytes of
// each plane. T is the tensor's type. `tables` is whether there is a bias or feature-map dropout,
// whose look-ups cost registers and two divisions.
//
// Estimated, not measured: for sm_90, nvcc 13.0 compiles the float forward to 480 instructions and
// the bfloat16 one to 504, the backwards to 384 and 416. These counts include both the 16-byte and
// the element-wise accesses, of which an octet executes one. An H200 issues 132 x 4 warp
// instructions a cycle at 1.98 GHz. That is at least 70 G octets a second of the float forward,
// while its 4.8 TB/s of memory bandwidth allow 73 G (66 bytes an octet): it should be memory-bound.
// The bfloat16 forward (34 bytes) may be bound by instructions.

namespace fastgan {
namespace {

// Registers: 64.
template <class T, bool tables>
__global__ void __launch_bounds__(kThreads)
    bias_act_dropout_forward(BiasActDropoutForward<T> params, bool aligned) {
  using S = Arithmetic<T>;
  const int64_t octets = octets_of(params.elements);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const RandomKey random = random_key(params.random);
  for (int64_t octet = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; octet < octets;
       octet += stride) {
    S value[kOctet];
    load_octet(params.x, octet, params.elements, aligned, value);
    const uint32_t inside = octet_bits_below(octet, params.elements);
    uint32_t keep = inside;
    if (params.threshold > 0 && !(tables && params.map_keep != nullptr)) {
      keep &= keep_octet(random, octet, params.threshold);
    }
    if (tables && params.map_keep != nullptr) {
      ChannelWalk walk(params.maps, octet * kOctet);
      for (int i = 0; i < kOctet; ++i) {
        if (((inside >> i) & 1u) != 0 && params.map_keep[walk.entry()] == 0) keep &= ~(1u << i);
        walk.advance(1);
      }
    }
    if (tables && params.bias != nullptr) {
      ChannelWalk walk(params.bias_channels, octet * kOctet);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) {
        value[i] += params.bias[walk.entry()];
        walk.advance(1);
      }
    }
    uint32_t active = 0, positive = 0;
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      const auto result = scalar::activate(value[i], ((keep >> i) & 1u) != 0, params.factors);
      value[i] = result.value;
      active |= static_cast<uint32_t>(result.active) << i;
      positive |= static_cast<uint32_t>(result.positive) << i;
    }
    store_octet(params.y, octet, params.elements, aligned, value);
    if (params.active != nullptr) params.active[octet] = static_cast<uint8_t>(active & inside);
    if (params.positive != nullptr)
      params.positive[octet] = static_cast<uint8_t>(positive & inside);
  }
}

// Registers: 32, double 40.
template <class T>
__global__ void __launch_bounds__(kThreads)
    bias_act_dropout_backward(BiasActDropoutBackward<T> params, bool aligned) {
  using S = Arithmetic<T>;
  const int64_t octets = octets_of(params.elements);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t octet = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; octet < octets;
       octet += stride) {
    S grad[kOctet];
    load_octet(params.grad, octet, params.elements, aligned, grad);
    const uint32_t active = params.active != nullptr ? params.active[octet] : 0xFFu;
    const uint32_t positive = params.positive != nullptr ? params.positive[octet] : 0xFFu;
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      grad[i] = scalar::activate_backward(grad[i], ((active >> i) & 1u) != 0,
                                          ((positive >> i) & 1u) != 0, params.factors);
    }
    store_octet(params.grad_input, octet, params.elements, aligned, grad);
  }
}

// Registers: 32.
__global__ void __launch_bounds__(kThreads) draw_maps(DrawMaps params) {
  const int64_t octets = octets_of(params.maps);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const RandomKey random = random_key(params.random);
  for (int64_t octet = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; octet < octets;
       octet += stride) {
    const uint32_t keep = keep_octet(random, octet, params.threshold);
    for (int i = 0; i < kOctet && octet * kOctet + i < params.maps; ++i) {
      params.map_keep[octet * kOctet + i] = static_cast<uint8_t>((keep >> i) & 1u);
    }
  }
}

}  // namespace

template <class T>
void run_cuda(const BiasActDropoutForward<T>& params, CUstream_st* stream) {
  const bool aligned = aligned16(params.x) && aligned16(params.y);
  const bool tables = params.bias != nullptr || params.map_keep != nullptr;
  launch("bias_act_dropout",
         tables ? bias_act_dropout_forward<T, true> : bias_act_dropout_forward<T, false>,
         blocks_for(octets_of(params.elements)), stream, params, aligned);
}

template <class T>
void run_cuda(const BiasActDropoutBackward<T>& params, CUstream_st* stream) {
  const bool aligned = aligned16(params.grad) && aligned16(params.grad_input);
  launch("bias_act_dropout_backward", bias_act_dropout_backward<T>,
         blocks_for(octets_of(params.elements)), stream, params, aligned);
}

void run_cuda(const DrawMaps& params, CUstream_st* stream) {
  launch("bias_act_dropout", draw_maps, blocks_for(octets_of(params.maps)), stream, params);
}

template void run_cuda(const BiasActDropoutForward<float>&, CUstream_st*);
template void run_cuda(const BiasActDropoutForward<double>&, CUstream_st*);
template void run_cuda(const BiasActDropoutForward<c10::Half>&, CUstream_st*);
template void run_cuda(const BiasActDropoutForward<c10::BFloat16>&, CUstream_st*);
template void run_cuda(const BiasActDropoutBackward<float>&, CUstream_st*);
template void run_cuda(const BiasActDropoutBackward<double>&, CUstream_st*);
template void run_cuda(const BiasActDropoutBackward<c10::Half>&, CUstream_st*);
template void run_cuda(const BiasActDropoutBackward<c10::BFloat16>&, CUstream_st*);

}  // namespace fastgan
