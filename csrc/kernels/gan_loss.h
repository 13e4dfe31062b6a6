#pragma once

#include <cstdint>

#include "kernels/arithmetic.h"
#include "kernels/reduction.h"

struct CUstream_st;

// Row gan_loss: the discriminator's loss real_weight * mean(bce(real, real_target)) + fake_weight *
// mean(bce(fake, fake_target)) with its statistics in one pass, and its gradient in one pass. The
// generator's loss is the same with one side. T is float, double, c10::Half or c10::BFloat16.

namespace fastgan {

// The logits of the real samples, or of the fake ones.
template <class T>
struct GanSide {
  const T* logits;  // [elements]
  T* grad_logits;   // [elements]; backward only
  int64_t elements;
  Arithmetic<T> target;  // of every logit
  double weight;
};

// Sums over a part of one side.
struct GanSums {
  double loss;
  double probability;  // sum of sigmoid(logit)
  double right;        // the number of logits > 0 (real) or < 0 (fake)

  FASTGAN_HD GanSums& operator+=(const GanSums& other) {
    loss += other.loss;
    probability += other.probability;
    right += other.right;
    return *this;
  }
};

// The discriminator's loss has two sides, real (0) and fake (1), the generator's has one.
template <class T>
struct GanLoss {
  GanSide<T> side[2];
  int sides;
  Arithmetic<T>* loss;  // CUDA: one number
  float* statistics;    // [4]: p_real, p_fake, accuracy_real, accuracy_fake; or null: not written
  GanSums* partials;    // CPU: [chunks], CUDA: [blocks]; those of side 0 first
  uint32_t* ticket;     // CUDA: 0 before and after
};

template <class T>
struct GanGradient {
  GanSide<T> side[2];
  int sides;
  const Arithmetic<T>* grad;  // one number
};

// CPU: the number of chunks of all sides.
template <class Params>
int64_t chunks_of(const Params& params) {
  int64_t chunks = 0;
  for (int side = 0; side < params.sides; ++side) chunks += chunks_of(params.side[side].elements);
  return chunks;
}

// CPU: chunks [first, last).
template <class T>
void run_cpu(const GanLoss<T>& params, int64_t first, int64_t last);
template <class T>
void run_cpu(const GanGradient<T>& params, int64_t first, int64_t last);

// CUDA: all elements.
template <class T>
void run_cuda(const GanLoss<T>& params, CUstream_st* stream);
template <class T>
void run_cuda(const GanGradient<T>& params, CUstream_st* stream);

// NaN if there are no elements.
FASTGAN_HD double mean_of(double sum, int64_t elements) {
  return sum / static_cast<double>(elements);
}

}  // namespace fastgan
