#pragma once

#include <cstdint>

#include "kernels/arithmetic.h"
#include "kernels/reduction.h"

struct CUstream_st;

// Row gan_loss: the loss of a GAN's logits in one pass, real_weight * mean(bce(real, real_target))
// + fake_weight * mean(bce(fake, fake_target)), with the discriminator's statistics, and its
// gradient in one pass. T is float, double, c10::Half or c10::BFloat16.

namespace fastgan {

// The logits of one kind of sample, real or generated.
template <class T>
struct GanSide {
  const T* logits;  // [elements]
  T* grad_logits;   // [elements]; the backward's
  int64_t elements;
  Arithmetic<T> target;  // every logit's
  double weight;
};

// What a part of one side adds up to.
struct GanSums {
  double loss;
  double probability;  // sum of sigmoid(logit)
  double right;        // how many logits are > 0 (real), or < 0 (fake)

  FASTGAN_HD GanSums& operator+=(const GanSums& other) {
    loss += other.loss;
    probability += other.probability;
    right += other.right;
    return *this;
  }
};

// D's loss has two sides, real and fake; G's has one.
template <class T>
struct GanLoss {
  GanSide<T> side[2];
  int sides;
  Arithmetic<T>* loss;  // CUDA: one number
  float* statistics;    // [4]: p_real, p_fake, accuracy_real, accuracy_fake; or null: not wanted
  GanSums* partials;    // CPU: [chunks of side 0, then of side 1]; CUDA: [blocks], the same way
  uint32_t* ticket;     // CUDA: 0, and again 0 afterwards
};

template <class T>
struct GanGradient {
  GanSide<T> side[2];
  int sides;
  const Arithmetic<T>* grad;  // one number
};

// CPU: chunks of all sides together.
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

// CUDA: all of it.
template <class T>
void run_cuda(const GanLoss<T>& params, CUstream_st* stream);
template <class T>
void run_cuda(const GanGradient<T>& params, CUstream_st* stream);

// What the sums of one side mean, on either device. All NaN where it has no element.
FASTGAN_HD double mean_of(double sum, int64_t elements) {
  return sum / static_cast<double>(elements);
}

}  // namespace fastgan
