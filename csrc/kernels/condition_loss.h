#pragma once

#include <atomic>
#include <cstdint>

#include "kernels/arithmetic.h"
#include "kernels/column_layout.h"

struct CUstream_st;

// Row condition_loss: the mean over rows of the cross-entropy between a condition and the segment
// that holds it, and its gradient. T is float, double, c10::Half or c10::BFloat16.

namespace fastgan {

template <class T>
struct ConditionTerms {
  const T* x;                 // [rows, width], logits
  const int64_t* conditions;  // [rows], entries
  int64_t rows;
  ColumnLayout layout;
  // CPU: the kernel sets it to 1 if a condition is no entry, and leaves out its row. CUDA: null,
  // and such a row gives NaN.
  std::atomic<int>* outside;
};

template <class T>
struct ConditionLoss {
  ConditionTerms<T> terms;
  Arithmetic<T>* result;  // CUDA: one number
  double* partials;       // CPU: [row groups]; CUDA: [blocks]
  uint32_t* ticket;       // CUDA: 0 before and after
};

template <class T>
struct ConditionGradient {
  ConditionTerms<T> terms;
  const Arithmetic<T>* grad;  // one number
  T* grad_input;              // [rows, width]
};

// CPU: rows [first, last), `first` a multiple of kRowGroup; `last` too, or the end.
template <class T>
void run_cpu(const ConditionLoss<T>& params, int64_t first, int64_t last);
template <class T>
void run_cpu(const ConditionGradient<T>& params, int64_t first, int64_t last);

// CUDA: all rows.
template <class T>
void run_cuda(const ConditionLoss<T>& params, CUstream_st* stream);
template <class T>
void run_cuda(const ConditionGradient<T>& params, CUstream_st* stream);

}  // namespace fastgan
