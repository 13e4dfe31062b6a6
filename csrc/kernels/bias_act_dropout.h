#pragma once

#include <cstdint>

#include "kernels/arithmetic.h"
#include "kernels/channels.h"
#include "kernels/random_state.h"
#include "math/activation_factors.h"

struct CUstream_st;

// Row bias_act_dropout: y = dropout(clamp(gain * leaky_relu(x + bias, negative_slope))), in one
// pass over a dense tensor in memory order. T is float, double, c10::Half or c10::BFloat16.

namespace fastgan {

// Which planes of the state (math/octet.h) exist. A plane without effect does not.
struct Planes {
  bool active;
  bool positive;
};

inline Planes planes_of(double negative_slope, bool has_clamp, uint32_t threshold) {
  return {threshold > 0 || has_clamp, negative_slope != 1.0};
}

template <class T>
struct BiasActDropoutForward {
  const T* x;                 // [elements]
  T* y;                       // [elements]; may be x
  uint8_t* active;            // plane, [octets], or null: not written
  uint8_t* positive;          // plane, [octets], or null: not written
  const Arithmetic<T>* bias;  // [channels] or null: none
  const uint8_t* map_keep;    // [samples * channels], 0 or 1, or null: dropout by element
  int64_t elements;
  Channels bias_channels;  // how elements find their entry of bias
  Channels maps;           // and of map_keep
  uint32_t threshold;      // 0: no dropout
  RandomState random;
  ActivationFactors<Arithmetic<T>> factors;
};

template <class T>
struct BiasActDropoutBackward {
  const T* grad;            // [elements]
  T* grad_input;            // [elements]
  const uint8_t* active;    // plane, [octets], or null: all bits 1
  const uint8_t* positive;  // plane, [octets], or null: all bits 1
  int64_t elements;
  ActivationFactors<Arithmetic<T>> factors;
};

// Feature-map dropout's keep decisions for all maps. Map m has the draw that element m would have.
struct DrawMaps {
  uint8_t* map_keep;  // [maps], 0 or 1
  int64_t maps;
  uint32_t threshold;
  RandomState random;
};

// CPU: octets [first, last), `first` a multiple of 16; `last` too, or the end.
template <class T>
void run_cpu(const BiasActDropoutForward<T>& params, int64_t first, int64_t last);
template <class T>
void run_cpu(const BiasActDropoutBackward<T>& params, int64_t first, int64_t last);
void run_cpu(const DrawMaps& params, int64_t first, int64_t last);

// CUDA: all octets.
template <class T>
void run_cuda(const BiasActDropoutForward<T>& params, CUstream_st* stream);
template <class T>
void run_cuda(const BiasActDropoutBackward<T>& params, CUstream_st* stream);
void run_cuda(const DrawMaps& params, CUstream_st* stream);

}  // namespace fastgan
