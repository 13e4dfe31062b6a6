#pragma once

#include <atomic>
#include <cstdint>

#include "kernels/arithmetic.h"
#include "kernels/reduction.h"

struct CUstream_st;

// Row bce: binary cross-entropy of logits or of probabilities, element by element or summed, and
// its gradient, each in one pass over dense tensors in memory order. T is float, double, c10::Half
// or c10::BFloat16.

namespace fastgan {

// What the loss of each element is made of. A pointer may be null where it says so.
template <class T>
struct BceTerms {
  const T* input;       // [elements]
  const T* target;      // [elements] or null: target_value
  const T* weight;      // [elements] or null: 1
  const T* pos_weight;  // [elements] or null: 1; with logits only
  Arithmetic<T> target_value;
  int64_t elements;
  bool probabilities;         // or else logits
  std::atomic<int>* outside;  // CPU, probabilities: kInputOutside | kTargetOutside are set where
                              // not in [0, 1], or null
};

// On probabilities: the most that a logarithm costs, as PyTorch clamps it, and exp(-100).
constexpr float kMostCost = 100.0f;
constexpr double kLeastUnclamped = 3.720075976020836e-44;

constexpr int kInputOutside = 1;
constexpr int kTargetOutside = 2;

template <class T>
struct BceLoss {
  BceTerms<T> terms;
  T* loss;  // [elements]
};

template <class T>
struct BceGradient {
  BceTerms<T> terms;
  const T* grad;  // [elements], or one number
  T* grad_input;  // [elements]
  bool grad_is_number;
  double scale;  // multiplies grad
};

// The sum of all losses, times `scale`. Its order is fixed: sums of chunks, added in order.
template <class T>
struct BceSum {
  BceTerms<T> terms;
  double scale;
  T* result;         // CUDA: one number
  double* partials;  // CPU: [chunks], of kSumChunk elements; CUDA: [sum_blocks(elements)]
  uint32_t* ticket;  // CUDA: 0, and again 0 afterwards
};

// CPU: octets [first, last), `first` a multiple of 16; `last` too, or the end.
template <class T>
void run_cpu(const BceLoss<T>& params, int64_t first, int64_t last);
template <class T>
void run_cpu(const BceGradient<T>& params, int64_t first, int64_t last);
// CPU: chunks [first, last).
template <class T>
void run_cpu(const BceSum<T>& params, int64_t first, int64_t last);

// CUDA: all elements.
template <class T>
void run_cuda(const BceLoss<T>& params, CUstream_st* stream);
template <class T>
void run_cuda(const BceGradient<T>& params, CUstream_st* stream);
template <class T>
void run_cuda(const BceSum<T>& params, CUstream_st* stream);

}  // namespace fastgan
