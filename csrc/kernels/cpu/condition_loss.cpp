#ifndef FASTGAN_ISA

#include "kernels/condition_loss.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <type_traits>

#include "kernels/cpu/simd_common.h"

namespace fastgan {
namespace {

// Where the conditions of a group of rows are.
struct Conditioned {
  int64_t start[kRowGroup];  // the first column of the segment
  int64_t end[kRowGroup];
  int64_t place[kRowGroup];  // the condition's own column
  int64_t longest;           // of the segments
};

// A condition that is no entry is marked and counts as a segment without columns.
template <class T>
Conditioned find_conditions(const ConditionTerms<T>& terms, int64_t first, int count) {
  Conditioned found{};
  const ColumnLayout& layout = terms.layout;
  for (int i = 0; i < count; ++i) {
    const int64_t entry = terms.conditions[first + i];
    if (entry < 0 || entry >= layout.entries()) {
      found.place[i] = -1;
      terms.outside->store(1, std::memory_order_relaxed);
      continue;
    }
    const int32_t* const starts = layout.starts + layout.owner[entry];
    found.start[i] = layout.scalars + starts[0];
    found.end[i] = layout.scalars + starts[1];
    found.place[i] = layout.scalars + entry;
    found.longest = std::max(found.longest, found.end[i] - found.start[i]);
  }
  return found;
}

// Memory for the longest segment of a group of rows.
template <class T>
std::unique_ptr<Arithmetic<T>[]> new_columns(const ColumnLayout& layout) {
  int64_t longest = 1;
  for (int64_t s = 0; s < layout.segments; ++s) {
    longest = std::max<int64_t>(longest, layout.starts[s + 1] - layout.starts[s]);
  }
  return std::unique_ptr<Arithmetic<T>[]>(new Arithmetic<T>[longest * kRowGroup]);
}

}  // namespace
}  // namespace fastgan

#define FASTGAN_THIS_FILE "kernels/cpu/condition_loss.cpp"
#include "kernels/cpu/foreach_isa.h"

namespace fastgan {

template <class T>
void run_cpu(const ConditionLoss<T>& params, int64_t first, int64_t last) {
  const auto columns = new_columns<T>(params.terms.layout);
  FASTGAN_DISPATCH(loss, params, first, last, columns.get());
}

template <class T>
void run_cpu(const ConditionGradient<T>& params, int64_t first, int64_t last) {
  const auto columns = new_columns<T>(params.terms.layout);
  FASTGAN_DISPATCH(gradient, params, first, last, columns.get());
}

template void run_cpu(const ConditionLoss<float>&, int64_t, int64_t);
template void run_cpu(const ConditionLoss<double>&, int64_t, int64_t);
template void run_cpu(const ConditionLoss<c10::Half>&, int64_t, int64_t);
template void run_cpu(const ConditionLoss<c10::BFloat16>&, int64_t, int64_t);
template void run_cpu(const ConditionGradient<float>&, int64_t, int64_t);
template void run_cpu(const ConditionGradient<double>&, int64_t, int64_t);
template void run_cpu(const ConditionGradient<c10::Half>&, int64_t, int64_t);
template void run_cpu(const ConditionGradient<c10::BFloat16>&, int64_t, int64_t);

}  // namespace fastgan

#else

#include "kernels/cpu/simd.h"
// After simd.h.
#include "kernels/cpu/row_group.h"

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

// Loads the conditioned segment of each row, side by side, and makes powers of it: exp(x - most).
// Columns behind a shorter segment are exp(-inf) = 0. Returns `most` and the powers' sum.
template <class V>
struct Powers {
  V most, sum;
};

template <class T>
FASTGAN_MATH Powers<VectorOf<T> > powers_of(const ConditionTerms<T>& terms,
                                            const Conditioned& found, int64_t row, int rows,
                                            Arithmetic<T>* columns) {
  using V = VectorOf<T>;
  using S = Arithmetic<T>;
  std::fill_n(columns, found.longest * V::kLanes, -std::numeric_limits<S>::infinity());
  for (int lane = 0; lane < rows; ++lane) {
    load_lane(terms.x + (row + lane) * terms.layout.width, found.start[lane], found.end[lane], lane,
              columns);
  }
  const V most = largest<V>(columns, found.longest);
  return {most, exponentials(columns, found.longest, most)};
}

template <class T>
FASTGAN_TARGET void loss(const ConditionLoss<T>& params, int64_t first, int64_t last,
                         Arithmetic<T>* columns) {
  using V = VectorOf<T>;
  using S = Arithmetic<T>;
  const ConditionTerms<T>& terms = params.terms;
  for (int64_t group = first; group < last; group += kRowGroup) {
    double total = 0.0;
    const int64_t end = std::min(group + kRowGroup, last);
    for (int64_t row = group; row < end; row += V::kLanes) {
      const int rows = static_cast<int>(std::min<int64_t>(V::kLanes, end - row));
      const Conditioned found = find_conditions(terms, row, rows);
      if (found.longest == 0) continue;
      const Powers<V> powers = powers_of(terms, found, row, rows, columns);
      // The product brings back NaN, which log_of() does not keep.
      const V logarithm = multiply_add(broadcast<V>(0), powers.sum, log_of(powers.sum));
      S logarithms[V::kLanes], most[V::kLanes];
      store(logarithms, logarithm);
      store(most, powers.most);
      for (int lane = 0; lane < rows; ++lane) {
        if (found.place[lane] < 0) continue;
        const S x = static_cast<S>(terms.x[(row + lane) * terms.layout.width + found.place[lane]]);
        total += static_cast<double>(logarithms[lane] + (most[lane] - x));
      }
    }
    params.partials[group / kRowGroup] = total;
  }
}

template <class T>
FASTGAN_TARGET void gradient(const ConditionGradient<T>& params, int64_t first, int64_t last,
                             Arithmetic<T>* columns) {
  using V = VectorOf<T>;
  using S = Arithmetic<T>;
  const ConditionTerms<T>& terms = params.terms;
  const int64_t width = terms.layout.width;
  const S factor =
      static_cast<S>(static_cast<double>(params.grad[0]) / static_cast<double>(terms.rows));
  std::fill(params.grad_input + first * width, params.grad_input + last * width, T(0.0f));
  for (int64_t row = first; row < last; row += V::kLanes) {
    const int rows = static_cast<int>(std::min<int64_t>(V::kLanes, last - row));
    const Conditioned found = find_conditions(terms, row, rows);
    if (found.longest == 0) continue;
    const V scale = broadcast<V>(factor) / powers_of(terms, found, row, rows, columns).sum;
    for (int64_t c = 0; c < found.longest; ++c) {
      store(columns + c * V::kLanes, load(columns + c * V::kLanes) * scale);
    }
    for (int lane = 0; lane < rows; ++lane) {
      T* const result = params.grad_input + (row + lane) * width;
      for (int64_t c = found.start[lane]; c < found.end[lane]; ++c) {
        const S share = columns[(c - found.start[lane]) * V::kLanes + lane];
        result[c] = static_cast<T>(c == found.place[lane] ? share - factor : share);
      }
    }
  }
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan

#endif
