#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/SymInt.h>

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace fastgan {

// The strides that torch gives the result of an element-wise operation of a tensor that is not
// dense: its dimensions keep their order in memory. Strides and sizes are symbolic while
// torch.compile traces.
inline std::vector<c10::SymInt> dense_strides(const at::Tensor& tensor) {
  const auto sizes = tensor.sym_sizes();
  const auto strides = tensor.sym_strides();
  std::vector<int64_t> order(tensor.dim());  // of dimensions, innermost first
  std::iota(order.rbegin(), order.rend(), 0);
  for (int64_t last = 1; last < tensor.dim(); ++last) {
    int64_t at = last;
    for (int64_t before = last - 1; before >= 0; --before) {
      const int64_t a = order[before], b = order[at];
      if (strides[a] == 0 || strides[b] == 0) continue;  // expanded: no order
      if (strides[a] < strides[b]) break;
      if (strides[a] > strides[b] || sizes[a] > sizes[b]) {
        std::swap(order[before], order[at]);
        at = before;
      }
    }
  }
  std::vector<c10::SymInt> result(tensor.dim());
  c10::SymInt step = 1;
  for (const int64_t dim : order) {
    result[dim] = step;
    if (sizes[dim] > 1) step = step * sizes[dim];
  }
  return result;
}

// The tensor itself if it is dense, in any order of dimensions; else a dense copy.
inline at::Tensor dense(const at::Tensor& tensor) {
  if (tensor.is_non_overlapping_and_dense()) return tensor;
  at::Tensor copy =
      at::empty_strided_symint(tensor.sym_sizes(), dense_strides(tensor), tensor.options());
  return copy.copy_(tensor);
}

// Whether two tensors of the same shape have the same strides. The stride of a dimension of size 1
// means nothing.
inline bool same_order(const at::Tensor& a, const at::Tensor& b) {
  for (int64_t dim = 0; dim < a.dim(); ++dim) {
    if (a.size(dim) != 1 && a.stride(dim) != b.stride(dim)) return false;
  }
  return true;
}

// The tensor, or a copy, with its elements in the memory order of `dense`, which has its shape.
inline at::Tensor in_order_of(const at::Tensor& dense, const at::Tensor& tensor) {
  if (same_order(tensor, dense)) return tensor;
  return at::empty_like(dense, tensor.options()).copy_(tensor);
}

}  // namespace fastgan
