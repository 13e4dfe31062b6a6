#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>

namespace fastgan {

// The tensor itself where its elements lie dense, in whatever order; else a dense copy.
inline at::Tensor dense(const at::Tensor& tensor) {
  return tensor.is_non_overlapping_and_dense() ? tensor
                                               : tensor.contiguous(tensor.suggest_memory_format());
}

// The tensor with its elements in the memory order of another, dense one of its shape.
inline at::Tensor in_order_of(const at::Tensor& dense, const at::Tensor& tensor) {
  if (tensor.strides() == dense.strides()) return tensor;
  return at::empty_like(dense, tensor.options()).copy_(tensor);
}

}  // namespace fastgan
