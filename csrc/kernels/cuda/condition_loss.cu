#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <limits>

#include "kernels/condition_loss.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/team.cuh"
#include "math/exp_log.h"

// A team of lanes (team.cuh) works on a row: on the segment of its condition in the loss, on all
// columns in the gradient.

namespace fastgan {
namespace {

// The segment of a row's condition: columns [start, end) of the row, and the condition's own one.
struct ConditionedSegment {
  int64_t start = 0, end = 0;
  int64_t place = -1;  // no entry

  template <class T>
  __device__ __forceinline__ ConditionedSegment(const ConditionTerms<T>& terms, int64_t row) {
    if (row >= terms.rows) return;
    const ColumnLayout& layout = terms.layout;
    const int64_t entry = terms.conditions[row];
    if (entry < 0 || entry >= layout.entries()) return;
    const int32_t* const starts = layout.starts + layout.owner[entry];
    start = layout.scalars + starts[0];
    end = layout.scalars + starts[1];
    place = layout.scalars + entry;
  }
};

// The largest number of a segment, and the sum of exp(x - most) over it, in every lane of the team.
template <class S>
struct SegmentSum {
  S most = -std::numeric_limits<S>::infinity();
  S sum = 0;

  template <class T>
  __device__ __forceinline__ SegmentSum(const Team& team, const T* x,
                                        const ConditionedSegment& segment) {
    for (int64_t column = segment.start + team.lane(); column < segment.end;
         column += team.size()) {
      const S logit = static_cast<S>(x[column]);
      most = logit > most ? logit : most;
    }
    most = team.most(most);
    for (int64_t column = segment.start + team.lane(); column < segment.end;
         column += team.size()) {
      sum += scalar::exp_nonpositive(static_cast<S>(x[column]) - most).value;
    }
    sum = team.sum(sum);
  }
};

// Registers: 40.
template <class T>
__global__ void __launch_bounds__(kThreads) condition_sum(ConditionLoss<T> params, int size) {
  using S = Arithmetic<T>;
  const ConditionTerms<T>& terms = params.terms;
  const Team team(size);
  double total = 0.0;
  for (int64_t first = team.first(); first < terms.rows; first += team.stride()) {
    const int64_t row = team.task(first);
    const ConditionedSegment segment(terms, row);
    const T* const x = terms.x + (row < terms.rows ? row : 0) * terms.layout.width;
    const SegmentSum<S> powers(team, x, segment);
    if (row >= terms.rows || team.lane() != 0) continue;
    S loss = std::numeric_limits<S>::quiet_NaN();
    if (segment.place >= 0) {
      loss = scalar::log_of(powers.sum) + (powers.most - static_cast<S>(x[segment.place]));
    }
    total += static_cast<double>(loss);
  }
  total = block_sum(total);
  if (threadIdx.x == 0) params.partials[blockIdx.x] = total;
  if (!last_block(params.ticket)) return;
  total = sum_of_partials(params.partials, 0, gridDim.x);
  if (threadIdx.x == 0) params.result[0] = static_cast<S>(total / static_cast<double>(terms.rows));
}

// Registers: 40, double 64.
template <class T>
__global__ void __launch_bounds__(kThreads) condition_gradient(ConditionGradient<T> params) {
  using S = Arithmetic<T>;
  const ConditionTerms<T>& terms = params.terms;
  const Team team(kWarp);
  const S factor =
      static_cast<S>(static_cast<double>(params.grad[0]) / static_cast<double>(terms.rows));
  for (int64_t row = team.first(); row < terms.rows; row += team.stride()) {
    const ConditionedSegment segment(terms, row);
    const T* const x = terms.x + row * terms.layout.width;
    T* const result = params.grad_input + row * terms.layout.width;
    const SegmentSum<S> powers(team, x, segment);
    const S scale = factor / powers.sum;
    const S elsewhere = segment.place >= 0 ? S(0) : std::numeric_limits<S>::quiet_NaN();
    for (int64_t column = team.lane(); column < terms.layout.width; column += team.size()) {
      S value = elsewhere;
      if (column >= segment.start && column < segment.end) {
        value = scalar::exp_nonpositive(static_cast<S>(x[column]) - powers.most).value * scale;
        if (column == segment.place) value -= factor;
      }
      result[column] = static_cast<T>(value);
    }
  }
}

}  // namespace

template <class T>
void run_cuda(const ConditionLoss<T>& params, CUstream_st* stream) {
  const int size = team_size(params.terms.layout);
  const int64_t wanted = blocks_for(params.terms.rows * size);
  // At least one block, as without rows the result is written, too.
  const int64_t blocks = wanted < 1 ? 1 : wanted < kMostSumBlocks ? wanted : kMostSumBlocks;
  launch("condition_loss", condition_sum<T>, blocks, stream, params, size);
}

template <class T>
void run_cuda(const ConditionGradient<T>& params, CUstream_st* stream) {
  launch("condition_loss_backward", condition_gradient<T>, blocks_for(params.terms.rows * kWarp),
         stream, params);
}

template void run_cuda(const ConditionLoss<float>&, CUstream_st*);
template void run_cuda(const ConditionLoss<double>&, CUstream_st*);
template void run_cuda(const ConditionLoss<c10::Half>&, CUstream_st*);
template void run_cuda(const ConditionLoss<c10::BFloat16>&, CUstream_st*);
template void run_cuda(const ConditionGradient<float>&, CUstream_st*);
template void run_cuda(const ConditionGradient<double>&, CUstream_st*);
template void run_cuda(const ConditionGradient<c10::Half>&, CUstream_st*);
template void run_cuda(const ConditionGradient<c10::BFloat16>&, CUstream_st*);

}  // namespace fastgan
