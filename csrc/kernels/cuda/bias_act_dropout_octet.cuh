#pragma once

#include <cstdint>

#include "kernels/bias_act_dropout.h"
#include "kernels/cuda/octet_io.cuh"
#include "math/activation.h"

// Row bias_act_dropout for one octet, of any kind and at any address.

namespace fastgan {

// The bytes of an octet's state.
struct StateBytes {
  uint32_t active, positive;
};

template <class T>
__device__ __forceinline__ void store_state(const BiasActDropoutForward<T>& params, int64_t octet,
                                            const StateBytes& state) {
  if (params.active != nullptr) params.active[octet] = static_cast<uint8_t>(state.active);
  if (params.positive != nullptr) params.positive[octet] = static_cast<uint8_t>(state.positive);
}

// Feature-map dropout and a bias without an order for tiles are looked up element by element. That
// costs registers and divisions, so it is compiled apart: `tables`.
template <class T, bool tables>
__device__ __forceinline__ void forward_octet(const BiasActDropoutForward<T>& params,
                                              const RandomKey& random, int64_t octet,
                                              bool aligned) {
  using S = Arithmetic<T>;
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
  StateBytes state{0, 0};
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    const auto result = scalar::activate(value[i], ((keep >> i) & 1u) != 0, params.factors);
    value[i] = result.value;
    state.active |= static_cast<uint32_t>(result.active) << i;
    state.positive |= static_cast<uint32_t>(result.positive) << i;
  }
  store_octet(params.y, octet, params.elements, aligned, value);
  store_state(params, octet, {state.active & inside, state.positive & inside});
}

template <class T>
__device__ __forceinline__ void backward_octet(const BiasActDropoutBackward<T>& params,
                                               int64_t octet, bool aligned) {
  using S = Arithmetic<T>;
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

}  // namespace fastgan
