#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/octet_io.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/gan_loss.h"
#include "math/bce.h"

// The first blocks of the grid work on side 0, the others on side 1. One thread handles one octet.

namespace fastgan {
namespace {

static_assert(2 * kMostSumBlocks * sizeof(GanSums) <= kMostPartials * sizeof(double));

// The side that this block works on, and its index among that side's blocks.
struct BlockOfSide {
  int side;
  int64_t block;
  int64_t blocks;

  __device__ __forceinline__ explicit BlockOfSide(int64_t first_side_blocks) {
    const int64_t index = blockIdx.x;
    side = index < first_side_blocks ? 0 : 1;
    block = side == 0 ? index : index - first_side_blocks;
    blocks = side == 0 ? first_side_blocks : gridDim.x - first_side_blocks;
  }

  __device__ __forceinline__ int64_t first_octet() const {
    return block * blockDim.x + threadIdx.x;
  }
  __device__ __forceinline__ int64_t stride() const { return blocks * blockDim.x; }
};

// Sums over the block, valid in its first thread.
__device__ inline GanSums sum_over_block(const GanSums& sums) {
  return {block_sum(sums.loss), block_sum(sums.probability), block_sum(sums.right)};
}

// Sums an octet in S, at the cost of a few roundings, and adds that to `sums` in double.
template <bool statistics, class T>
__device__ __forceinline__ void add_octet(const GanSide<T>& side, int which, int64_t octet,
                                          bool aligned, GanSums& sums) {
  using S = Arithmetic<T>;
  const scalar::LogitTarget<S> target = scalar::logit_target(side.target, S(1));
  S logit[kOctet];
  load_octet(side.logits, octet, side.elements, aligned, logit);
  S linear = 0, product = 0, probability = 0, right = 0;
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    if (octet * kOctet + i >= side.elements) continue;
    const S x = logit[i];
    const Exp<S> e = scalar::exp_nonpositive(scalar::negative_absolute(x));
    linear += scalar::logit_linear(x, target, S(0));
    product = scalar::joined(product, e.value);
    if (!statistics) continue;
    probability += scalar::probability_of(x, scalar::sigmoid_of(e, S(1)), S(0), S(1));
    right += (which == 0 ? x > S(0) : x < S(0)) ? S(1) : S(0);
  }
  sums.loss += static_cast<double>(linear + scalar::log1p_nonnegative(product));
  if (!statistics) return;
  sums.probability += probability;
  sums.right += right;
}

// For the last block: the loss of a side, and its statistics, from the sums of blocks [first,
// last). Valid in the first thread.
template <class T>
__device__ inline double finish_side(const GanLoss<T>& params, const GanSide<T>& side, int which,
                                     int64_t first, int64_t last) {
  GanSums sums{};
  for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x) sums += params.partials[i];
  sums = sum_over_block(sums);
  if (threadIdx.x == 0 && params.statistics != nullptr) {
    params.statistics[which] = static_cast<float>(mean_of(sums.probability, side.elements));
    params.statistics[2 + which] = static_cast<float>(mean_of(sums.right, side.elements));
  }
  return side.weight * mean_of(sums.loss, side.elements);
}

// Registers: 48, double 64.
template <class T, bool statistics>
__global__ void __launch_bounds__(kThreads)
    gan_loss(GanLoss<T> params, int64_t first_side_blocks, bool aligned) {
  const BlockOfSide place(first_side_blocks);
  const GanSide<T> side = place.side == 0 ? params.side[0] : params.side[1];
  const int64_t octets = octets_of(side.elements);
  GanSums sums{};
  for (int64_t octet = place.first_octet(); octet < octets; octet += place.stride()) {
    add_octet<statistics>(side, place.side, octet, aligned, sums);
  }
  sums = sum_over_block(sums);
  if (threadIdx.x == 0) params.partials[blockIdx.x] = sums;
  if (!last_block(params.ticket)) return;
  double loss = finish_side(params, params.side[0], 0, 0, first_side_blocks);
  if (params.sides == 2) {
    loss += finish_side(params, params.side[1], 1, first_side_blocks, gridDim.x);
  }
  if (threadIdx.x == 0) params.loss[0] = static_cast<Arithmetic<T>>(loss);
}

// Registers: 40, double 56.
template <class T>
__global__ void __launch_bounds__(kThreads)
    gan_gradient(GanGradient<T> params, int64_t first_side_blocks, bool aligned) {
  using S = Arithmetic<T>;
  const BlockOfSide place(first_side_blocks);
  const GanSide<T> side = place.side == 0 ? params.side[0] : params.side[1];
  const S factor =
      static_cast<S>(mean_of(static_cast<double>(params.grad[0]) * side.weight, side.elements));
  const scalar::LogitTarget<S> target = scalar::logit_target(side.target, S(1));
  const int64_t octets = octets_of(side.elements);
  for (int64_t octet = place.first_octet(); octet < octets; octet += place.stride()) {
    S value[kOctet];
    load_octet(side.logits, octet, side.elements, aligned, value);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      const S x = value[i];
      const S sigmoid =
          scalar::sigmoid_of(scalar::exp_nonpositive(scalar::negative_absolute(x)), S(1));
      value[i] = scalar::logit_gradient(x, sigmoid, target, S(0)) * factor;
    }
    store_octet(side.grad_logits, octet, side.elements, aligned, value);
  }
}

template <class Params>
bool all_aligned(const Params& params) {
  bool aligned = true;
  for (int side = 0; side < params.sides; ++side) {
    aligned =
        aligned && aligned16(params.side[side].logits) && aligned16(params.side[side].grad_logits);
  }
  return aligned;
}

}  // namespace

template <class T>
void run_cuda(const GanLoss<T>& params, CUstream_st* stream) {
  const int64_t first = sum_blocks(params.side[0].elements);
  const int64_t blocks = first + (params.sides == 2 ? sum_blocks(params.side[1].elements) : 0);
  launch("gan_loss", params.statistics != nullptr ? gan_loss<T, true> : gan_loss<T, false>, blocks,
         stream, params, first, all_aligned(params));
}

template <class T>
void run_cuda(const GanGradient<T>& params, CUstream_st* stream) {
  int64_t blocks[2] = {0, 0};
  for (int side = 0; side < params.sides; ++side) {
    const int64_t wanted = blocks_for(octets_of(params.side[side].elements));
    blocks[side] = wanted < kMostBlocks / 2 ? wanted : kMostBlocks / 2;
  }
  if (blocks[0] + blocks[1] == 0) return;
  launch("gan_loss_backward", gan_gradient<T>, blocks[0] + blocks[1], stream, params, blocks[0],
         all_aligned(params));
}

template void run_cuda(const GanLoss<float>&, CUstream_st*);
template void run_cuda(const GanLoss<double>&, CUstream_st*);
template void run_cuda(const GanLoss<c10::Half>&, CUstream_st*);
template void run_cuda(const GanLoss<c10::BFloat16>&, CUstream_st*);
template void run_cuda(const GanGradient<float>&, CUstream_st*);
template void run_cuda(const GanGradient<double>&, CUstream_st*);
template void run_cuda(const GanGradient<c10::Half>&, CUstream_st*);
template void run_cuda(const GanGradient<c10::BFloat16>&, CUstream_st*);

}  // namespace fastgan
