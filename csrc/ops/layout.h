#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>

namespace fastgan {

// The tensor itself if it is dense, in any order of dimensions; else a dense copy.
inline at::Tensor dense(const at::Tensor& tensor) {
  return tensor.is_non_overlapping_and_dense() ? tensor
                                               : tensor.contiguous(tensor.suggest_memory_format());
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
