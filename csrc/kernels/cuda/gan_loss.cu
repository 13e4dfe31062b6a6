#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <type_traits>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/octet_io.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/tile.cuh"
#include "kernels/gan_loss.h"
#include "math/bce.h"

// The first blocks of the grid work on side 0, the others on side 1. A warp works on a row
// (tile.cuh) at a time, which may be a side's last octets. Nothing is exchanged, as elements have
// no state: a lane's "octet" is its parts.

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

  // The first octet of this warp's first row, and the octets from there to its next one.
  __device__ __forceinline__ int64_t first() const {
    return block * blockDim.x + threadIdx.x / kWarp * kWarp;
  }
  __device__ __forceinline__ int64_t stride() const { return blocks * blockDim.x; }
};

// Eight of a side's logits or gradients. If the row is whole and aligned they are this lane's parts
// of it, else this lane's octet, of which `count` elements are the side's.
template <class T>
struct RowOfSide {
  using S = Arithmetic<T>;
  using Lane = TileLane<T>;

  const GanSide<T>& side;
  int64_t first;
  bool whole;
  int64_t count;
  S value[kOctet];

  __device__ __forceinline__ RowOfSide(const GanSide<T>& side, int64_t first, bool aligned)
      : side(side), first(first), whole(aligned && (first + kWarp) * kOctet <= side.elements) {
    if (!whole) {
      count = side.elements - octet() * kOctet;
      load_octet(side.logits, octet(), side.elements, aligned, value);
      return;
    }
    count = kOctet;
    Chunk<T> chunk[1][Lane::kParts];
    load_rows(side.logits, Lane(), first, chunk);
#pragma unroll
    for (int i = 0; i < kOctet; ++i)
      value[i] = static_cast<S>(chunk[0][i / Lane::kWidth].lane[i % Lane::kWidth]);
  }

  __device__ __forceinline__ void store(bool aligned) const {
    if (!whole) return store_octet(side.grad_logits, octet(), side.elements, aligned, value);
    Chunk<T> chunk[Lane::kParts];
#pragma unroll
    for (int i = 0; i < kOctet; ++i)
      chunk[i / Lane::kWidth].lane[i % Lane::kWidth] = static_cast<T>(value[i]);
    store_row(side.grad_logits, Lane(), first, 0, chunk);
  }

 private:
  __device__ __forceinline__ int64_t octet() const { return first + threadIdx.x % kWarp; }
};

// Sums over the block, valid in its first thread.
__device__ inline GanSums sum_over_block(const GanSums& sums) {
  return {block_sum(sums.loss), block_sum(sums.probability), block_sum(sums.right)};
}

// Sums the first `count` of eight logits in S, at the cost of a few roundings, and adds that to
// `sums` in double. `whole`: count is 8, and no element is tested. `sign` is 1 where positive
// logits are right, else -1.
template <bool statistics, bool whole, class S>
__device__ __forceinline__ void add_logits(const S (&logit)[kOctet], int64_t count,
                                           const scalar::LogitTarget<S>& target, S sign,
                                           GanSums& sums) {
  S linear = 0, product = 0, probability = 0, right = 0;
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    if (!whole && i >= count) continue;
    const S x = logit[i];
    const Exp<S> e = scalar::exp_nonpositive(scalar::negative_absolute(x));
    linear += scalar::logit_linear(x, target, S(0));
    product = i == 0 ? e.value : scalar::joined(product, e.value);
    if (!statistics) continue;
    probability += scalar::probability_of(x, e, S(0), S(1));
    right += sign * x > S(0) ? S(1) : S(0);
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
#pragma unroll 4
  for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x) sums += params.partials[i];
  sums = sum_over_block(sums);
  if (threadIdx.x == 0 && params.statistics != nullptr) {
    params.statistics[which] = static_cast<float>(mean_of(sums.probability, side.elements));
    params.statistics[2 + which] = static_cast<float>(mean_of(sums.right, side.elements));
  }
  return side.weight * mean_of(sums.loss, side.elements);
}

// Registers: 56, double 72.
template <class T, bool statistics>
__global__ void __launch_bounds__(kThreads)
    gan_loss(GanLoss<T> params, int64_t first_side_blocks, bool aligned) {
  using S = Arithmetic<T>;
  const BlockOfSide place(first_side_blocks);
  const GanSide<T> side = place.side == 0 ? params.side[0] : params.side[1];
  const scalar::LogitTarget<S> target = scalar::logit_target(side.target, S(1));
  const S sign = place.side == 0 ? S(1) : S(-1);
  const int64_t octets = octets_of(side.elements);
  GanSums sums{};
  for (int64_t first = place.first(); first < octets; first += place.stride()) {
    const RowOfSide<T> row(side, first, aligned);
    if (std::is_same_v<S, float> && row.whole) {  // twice the code of double spills registers
      add_logits<statistics, true>(row.value, kOctet, target, sign, sums);
    } else {
      add_logits<statistics, false>(row.value, row.count, target, sign, sums);
    }
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

// `weight` is that of an element of each side.
struct ElementWeights {
  double weight[2];
};

// Registers: 40, double 64.
template <class T>
__global__ void __launch_bounds__(kThreads)
    gan_gradient(GanGradient<T> params, ElementWeights weights, int64_t first_side_blocks,
                 bool aligned) {
  using S = Arithmetic<T>;
  const BlockOfSide place(first_side_blocks);
  const GanSide<T> side = place.side == 0 ? params.side[0] : params.side[1];
  const scalar::LogitTarget<S> target = scalar::logit_target(side.target, S(1));
  const double weight = place.side == 0 ? weights.weight[0] : weights.weight[1];
  const S grad = params.grad[0];
  const int64_t octets = octets_of(side.elements);
  for (int64_t first = place.first(); first < octets; first += place.stride()) {
    RowOfSide<T> row(side, first, aligned);
    // After the loads, which need not wait for `grad`.
    const S factor = static_cast<S>(static_cast<double>(grad) * weight);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      const S x = row.value[i];
      const S sigmoid =
          scalar::sigmoid_of(scalar::exp_nonpositive(scalar::negative_absolute(x)), S(1));
      row.value[i] = scalar::logit_gradient(x, sigmoid, target, S(0)) * factor;
    }
    row.store(aligned);
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
  ElementWeights weights{};
  for (int side = 0; side < params.sides; ++side) {
    const int64_t wanted = blocks_for(octets_of(params.side[side].elements));
    blocks[side] = wanted < kMostBlocks / 2 ? wanted : kMostBlocks / 2;
    weights.weight[side] = mean_of(params.side[side].weight, params.side[side].elements);
  }
  if (blocks[0] + blocks[1] == 0) return;
  launch("gan_loss_backward", gan_gradient<T>, blocks[0] + blocks[1], stream, params, weights,
         blocks[0], all_aligned(params));
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
