#pragma once

#include <cstdint>

#include "kernels/arithmetic.h"
#include "kernels/column_layout.h"
#include "kernels/random_state.h"

struct CUstream_st;

// Row column_heads: tanh of the scalars, and softmax((x + Gumbel noise) / tau) of each segment, in
// one pass over a contiguous tensor of rows. T is float, double, c10::Half or c10::BFloat16.

namespace fastgan {

template <class T>
struct ColumnHeadsForward {
  const T* x;  // [rows, width]
  T* y;        // [rows, width]
  int64_t rows;
  ColumnLayout layout;
  Arithmetic<T> inverse_tau;
  RandomState random;
};

// The derivatives of tanh and softmax need only their results.
template <class T>
struct ColumnHeadsBackward {
  const T* grad;  // [rows, width]
  const T* y;     // [rows, width]
  T* grad_input;  // [rows, width]
  int64_t rows;
  ColumnLayout layout;
  Arithmetic<T> inverse_tau;
};

// CPU: rows [first, last), `first` a multiple of kRowGroup; `last` too, or the end.
template <class T>
void run_cpu(const ColumnHeadsForward<T>& params, int64_t first, int64_t last);
template <class T>
void run_cpu(const ColumnHeadsBackward<T>& params, int64_t first, int64_t last);

// CUDA: all rows.
template <class T>
void run_cuda(const ColumnHeadsForward<T>& params, CUstream_st* stream);
template <class T>
void run_cuda(const ColumnHeadsBackward<T>& params, CUstream_st* stream);

}  // namespace fastgan
