#ifndef FASTGAN_ISA

#include "kernels/column_heads.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <memory>
#include <type_traits>

#include "kernels/cpu/simd_common.h"
#include "math/column_noise.h"

#define FASTGAN_THIS_FILE "kernels/cpu/column_heads.cpp"
#include "kernels/cpu/foreach_isa.h"

namespace fastgan {

static_assert(kRowGroup == kBlockOctets, "draw_rows() draws for a group");

template <class T>
void run_cpu(const ColumnHeadsForward<T>& params, int64_t first, int64_t last) {
  // Of the group of rows that is computed, column after column.
  const std::unique_ptr<Arithmetic<T>[]> columns(
      new Arithmetic<T>[kRowGroup * params.layout.width]);
  FASTGAN_DISPATCH(heads, params, first, last, columns.get());
}

template <class T>
void run_cpu(const ColumnHeadsBackward<T>& params, int64_t first, int64_t last) {
  // A row of grad, of y and of grad_input each, for tensors of halves.
  const std::unique_ptr<Arithmetic<T>[]> rows(new Arithmetic<T>[3 * params.layout.width]);
  FASTGAN_DISPATCH(heads_backward, params, first, last, rows.get());
}

template void run_cpu(const ColumnHeadsForward<float>&, int64_t, int64_t);
template void run_cpu(const ColumnHeadsForward<double>&, int64_t, int64_t);
template void run_cpu(const ColumnHeadsForward<c10::Half>&, int64_t, int64_t);
template void run_cpu(const ColumnHeadsForward<c10::BFloat16>&, int64_t, int64_t);
template void run_cpu(const ColumnHeadsBackward<float>&, int64_t, int64_t);
template void run_cpu(const ColumnHeadsBackward<double>&, int64_t, int64_t);
template void run_cpu(const ColumnHeadsBackward<c10::Half>&, int64_t, int64_t);
template void run_cpu(const ColumnHeadsBackward<c10::BFloat16>&, int64_t, int64_t);

}  // namespace fastgan

#else

#include "kernels/cpu/simd.h"
#include "math/gumbel.h"
// After simd.h.
#include "kernels/cpu/row_group.h"

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

// As uniform_of() of math/column_noise.h.
template <class V>
FASTGAN_MATH V uniform_of_words(const uint32_t* words) {
  const V number = numbers_of<V>(words) * broadcast<V>(kWordScale) + broadcast<V>(kHalfWord);
  if constexpr (sizeof(typename V::Scalar) == sizeof(double)) return number;
  const V most = broadcast<V>(kMostUniform);
  return select(greater(number, most), most, number);
}

// (x + noise) / tau for all entries of the rows from `row` on, which lie side by side.
template <class V>
FASTGAN_MATH void add_noise(RandomKey random, int64_t row, int64_t entries, V inverse_tau,
                            typename V::Scalar* columns) {
  const V zero = broadcast<V>(0);
  for (int64_t block = 0; block * kBlockEntries < entries; ++block) {
    uint32_t words[kBlockEntries * kRowGroup];
    draw_rows(random, row, block, words);
    const int count =
        static_cast<int>(std::min<int64_t>(kBlockEntries, entries - block * kBlockEntries));
    for (int k = 0; k < count; ++k) {
      typename V::Scalar* const at = columns + (block * kBlockEntries + k) * V::kLanes;
      const V noise = gumbel_of(uniform_of_words<V>(words + k * kRowGroup), zero);
      store(at, (load(at) + noise) * inverse_tau);
    }
  }
}

template <class V>
FASTGAN_MATH void softmax(typename V::Scalar* columns, int64_t count) {
  const V sum = exponentials(columns, count, largest<V>(columns, count));
  const V inverse = broadcast<V>(1) / sum;
  for (int64_t c = 0; c < count; ++c) {
    store(columns + c * V::kLanes, load(columns + c * V::kLanes) * inverse);
  }
}

template <class T>
FASTGAN_TARGET void heads(const ColumnHeadsForward<T>& params, int64_t first, int64_t last,
                          Arithmetic<T>* columns) {
  using V = VectorOf<T>;
  constexpr int kLanes = V::kLanes;
  const ColumnLayout& layout = params.layout;
  const RandomKey random = random_key(params.random);
  const V inverse_tau = broadcast<V>(params.inverse_tau);
  Arithmetic<T>* const entries = columns + layout.scalars * kLanes;
  if (last - first < kLanes) std::fill_n(columns, kLanes * layout.width, Arithmetic<T>(0));
  for (int64_t row = first; row < last; row += kLanes) {
    const int rows = static_cast<int>(std::min<int64_t>(kLanes, last - row));
    for (int lane = 0; lane < rows; ++lane) {
      load_lane(params.x + (row + lane) * layout.width, 0, layout.width, lane, columns);
    }
    for (int64_t c = 0; c < layout.scalars; ++c) {
      store(columns + c * kLanes, tanh_of(load(columns + c * kLanes)));
    }
    add_noise(random, row, layout.entries(), inverse_tau, entries);
    for (int64_t s = 0; s < layout.segments; ++s) {
      const int64_t start = layout.starts[s];
      softmax<V>(entries + start * kLanes, layout.starts[s + 1] - start);
    }
    for (int lane = 0; lane < rows; ++lane) {
      store_lane(columns, layout.width, lane, params.y + (row + lane) * layout.width);
    }
  }
}

// A row in the type of the arithmetic: itself, or a copy in `copy`.
template <class T>
FASTGAN_MATH const Arithmetic<T>* widened(const T* row, int64_t width, Arithmetic<T>* copy) {
  if constexpr (std::is_same_v<T, Arithmetic<T> >)
    return row;
  else {
    convert(row, width, copy);
    return copy;
  }
}

template <class T>
FASTGAN_TARGET void heads_backward(const ColumnHeadsBackward<T>& params, int64_t first,
                                   int64_t last, Arithmetic<T>* rows) {
  using S = Arithmetic<T>;
  const ColumnLayout& layout = params.layout;
  const int64_t width = layout.width;
  for (int64_t row = first; row < last; ++row) {
    const S* const grad = widened(params.grad + row * width, width, rows);
    const S* const y = widened(params.y + row * width, width, rows + width);
    T* const result = params.grad_input + row * width;
    S* out = rows + 2 * width;
    if constexpr (std::is_same_v<T, S>) out = result;
    for (int64_t c = 0; c < layout.scalars; ++c) out[c] = grad[c] * (S(1) - y[c] * y[c]);
    for (int64_t s = 0; s < layout.segments; ++s) {
      const int64_t start = layout.scalars + layout.starts[s];
      const int64_t end = layout.scalars + layout.starts[s + 1];
      S sum = 0;
      for (int64_t c = start; c < end; ++c) sum += grad[c] * y[c];
      for (int64_t c = start; c < end; ++c) out[c] = (grad[c] - sum) * y[c] * params.inverse_tau;
    }
    if constexpr (!std::is_same_v<T, S>) convert(out, width, result);
  }
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan

#endif
