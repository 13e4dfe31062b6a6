#pragma once

#include <atomic>
#include <cstdint>

#include "kernels/arithmetic.h"
#include "kernels/reduction.h"

struct CUstream_st;

// Row bce: binary cross-entropy of logits or of probabilities, for each element or summed, and its
// gradient. Each is one pass over dense tensors in memory order. T is float, double, c10::Half or
// c10::BFloat16.

namespace fastgan {

// What each element's loss is computed from.
template <class T>
struct BceTerms {
  const T* input;                   // [elements]
  const T* target;                  // [elements] or null: target_value for all
  const Arithmetic<T>* weight;      // [elements] or null: 1
  const Arithmetic<T>* pos_weight;  // [elements] or null: 1; logits only
  Arithmetic<T> target_value;
  int64_t elements;
  bool probabilities;  // false: logits
  // CPU, probabilities: the kernel sets kInputOutside or kTargetOutside if a value is NaN or
  // outside [0, 1]. Null: no check.
  std::atomic<int>* outside;
};

// Probabilities: PyTorch clamps log() at -100, which is the logarithm of kLeastUnclamped.
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
  const T* grad;  // [elements], or one number if grad_is_number
  T* grad_input;  // [elements]
  bool grad_is_number;
  double scale;  // multiplies grad
};

// The sum of all losses, times `scale`. The order of the additions does not depend on the number of
// threads.
template <class T>
struct BceSum {
  BceTerms<T> terms;
  double scale;
  T* result;         // CUDA: one number
  double* partials;  // CPU: [chunks], of kSumChunk elements; CUDA: [sum_blocks(elements)]
  uint32_t* ticket;  // CUDA: 0 before and after
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
