#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <limits>

#include "kernels/column_heads.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/team.cuh"
#include "math/column_noise.h"
#include "math/exp_log.h"
#include "math/gumbel.h"

// A team of lanes (team.cuh) works on a segment of a row, or on as many of its scalars as it has
// lanes. The noise is drawn in registers.

namespace fastgan {
namespace {

// The tasks of a row: its segments, then its scalars.
struct RowTasks {
  ColumnLayout layout;
  int64_t rows;
  int team;

  FASTGAN_HD int64_t of_row() const { return layout.segments + (layout.scalars + team - 1) / team; }
  FASTGAN_HD int64_t count() const { return rows * of_row(); }
};

struct ColumnTask {
  int64_t row = 0;
  int64_t element = 0;  // the first one in the tensor
  int64_t entry = 0;    // the first one of the segment
  int64_t columns = 0;  // of the segment; 0 without one
  int64_t scalars = 0;  // of the task; 0 for a segment

  // Nothing to do behind the last task.
  __device__ __forceinline__ ColumnTask(const RowTasks& tasks, int64_t index) {
    if (index >= tasks.count()) return;
    const ColumnLayout& layout = tasks.layout;
    row = index / tasks.of_row();
    const int64_t place = index - row * tasks.of_row();
    element = row * layout.width;
    if (place < layout.segments) {
      entry = layout.starts[place];
      columns = layout.starts[place + 1] - entry;
      element += layout.scalars + entry;
      return;
    }
    const int64_t first = (place - layout.segments) * tasks.team;
    scalars = layout.scalars - first < tasks.team ? layout.scalars - first : tasks.team;
    element += first;
  }
};

// (x + noise) / tau of a segment's columns.
template <class T>
struct NoisyLogits {
  using S = Arithmetic<T>;

  const T* x;  // of the segment's first column
  int64_t row, entry;
  RandomKey random;
  S inverse_tau;

  __device__ __forceinline__ S operator()(int64_t column) const {
    const uint64_t at = static_cast<uint64_t>(entry + column);
    const PhiloxBlock block = draw_entries(random, row, static_cast<int64_t>(at / kBlockEntries));
    // An index into the words would move them to memory.
    const uint32_t low = (at & 1) != 0 ? block.word[1] : block.word[0];
    const uint32_t high = (at & 1) != 0 ? block.word[3] : block.word[2];
    const S uniform = uniform_of<S>((at & 2) != 0 ? high : low);
    return (static_cast<S>(x[column]) + scalar::gumbel_of(uniform, S(0))) * inverse_tau;
  }
};

// The columns of a segment whose logits a lane keeps in registers. It draws those of others anew
// each time.
constexpr int kHeld = 4;

// Registers: 64, double 80.
template <class T>
__global__ void __launch_bounds__(kThreads)
    heads_forward(ColumnHeadsForward<T> params, RowTasks tasks) {
  using S = Arithmetic<T>;
  const Team team(tasks.team);
  const RandomKey random = random_key(params.random);
  for (int64_t first = team.first(); first < tasks.count(); first += team.stride()) {
    const ColumnTask task(tasks, team.task(first));
    T* const y = params.y + task.element;
    const NoisyLogits<T> logits{params.x + task.element, task.row, task.entry, random,
                                params.inverse_tau};
    if (team.lane() < task.scalars) {
      y[team.lane()] = static_cast<T>(scalar::tanh_of(static_cast<S>(logits.x[team.lane()])));
    }
    S held[kHeld];
    S most = -std::numeric_limits<S>::infinity();
#pragma unroll
    for (int k = 0; k < kHeld; ++k) {
      const int64_t column = team.lane() + k * team.size();
      if (column < task.columns) {
        held[k] = logits(column);
        most = held[k] > most ? held[k] : most;
      }
    }
    const int64_t behind = team.lane() + kHeld * team.size();
    for (int64_t column = behind; column < task.columns; column += team.size()) {
      const S logit = logits(column);
      most = logit > most ? logit : most;
    }
    most = team.most(most);
    S sum = 0;
#pragma unroll
    for (int k = 0; k < kHeld; ++k) {
      if (team.lane() + k * team.size() >= task.columns) continue;
      held[k] = scalar::exp_nonpositive(held[k] - most).value;
      sum += held[k];
    }
    for (int64_t column = behind; column < task.columns; column += team.size()) {
      sum += scalar::exp_nonpositive(logits(column) - most).value;
    }
    const S inverse = S(1) / team.sum(sum);
#pragma unroll
    for (int k = 0; k < kHeld; ++k) {
      const int64_t column = team.lane() + k * team.size();
      if (column < task.columns) y[column] = static_cast<T>(held[k] * inverse);
    }
    for (int64_t column = behind; column < task.columns; column += team.size()) {
      y[column] = static_cast<T>(scalar::exp_nonpositive(logits(column) - most).value * inverse);
    }
  }
}

// Registers: 40.
template <class T>
__global__ void __launch_bounds__(kThreads)
    heads_backward(ColumnHeadsBackward<T> params, RowTasks tasks) {
  using S = Arithmetic<T>;
  const Team team(tasks.team);
  for (int64_t first = team.first(); first < tasks.count(); first += team.stride()) {
    const ColumnTask task(tasks, team.task(first));
    const T* const grad = params.grad + task.element;
    const T* const y = params.y + task.element;
    T* const result = params.grad_input + task.element;
    if (team.lane() < task.scalars) {
      const S value = static_cast<S>(y[team.lane()]);
      result[team.lane()] =
          static_cast<T>(static_cast<S>(grad[team.lane()]) * (S(1) - value * value));
    }
    S sum = 0;
    for (int64_t column = team.lane(); column < task.columns; column += team.size()) {
      sum += static_cast<S>(grad[column]) * static_cast<S>(y[column]);
    }
    sum = team.sum(sum);
    for (int64_t column = team.lane(); column < task.columns; column += team.size()) {
      result[column] = static_cast<T>((static_cast<S>(grad[column]) - sum) *
                                      static_cast<S>(y[column]) * params.inverse_tau);
    }
  }
}

template <class Params>
RowTasks tasks_of(const Params& params) {
  return {params.layout, params.rows, team_size(params.layout)};
}

}  // namespace

template <class T>
void run_cuda(const ColumnHeadsForward<T>& params, CUstream_st* stream) {
  const RowTasks tasks = tasks_of(params);
  launch("column_heads", heads_forward<T>, blocks_for(tasks.count() * tasks.team), stream, params,
         tasks);
}

template <class T>
void run_cuda(const ColumnHeadsBackward<T>& params, CUstream_st* stream) {
  const RowTasks tasks = tasks_of(params);
  launch("column_heads_backward", heads_backward<T>, blocks_for(tasks.count() * tasks.team), stream,
         params, tasks);
}

template void run_cuda(const ColumnHeadsForward<float>&, CUstream_st*);
template void run_cuda(const ColumnHeadsForward<double>&, CUstream_st*);
template void run_cuda(const ColumnHeadsForward<c10::Half>&, CUstream_st*);
template void run_cuda(const ColumnHeadsForward<c10::BFloat16>&, CUstream_st*);
template void run_cuda(const ColumnHeadsBackward<float>&, CUstream_st*);
template void run_cuda(const ColumnHeadsBackward<double>&, CUstream_st*);
template void run_cuda(const ColumnHeadsBackward<c10::Half>&, CUstream_st*);
template void run_cuda(const ColumnHeadsBackward<c10::BFloat16>&, CUstream_st*);

}  // namespace fastgan
