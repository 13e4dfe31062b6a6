#pragma once

#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/SymIntArrayRef.h>

#include <cstdint>

// New tensors without values. On the CPU they are made without the dispatcher, as torch makes the
// results of its element-wise operations: leaky ReLU of 64 x 256 numbers, which makes a result and
// a state, takes 2.5 us so and 2.9 through the dispatcher (AMD EPYC, 1 thread, 2026-11-27).

namespace fastgan {

// A dense tensor of the sizes, strides, dtype and device of one.
inline at::Tensor new_like(const at::Tensor& dense) {
  if (dense.is_cpu()) {
    return at::detail::empty_strided_cpu(dense.sizes(), dense.strides(), dense.scalar_type());
  }
  return at::empty_strided_symint(dense.sym_sizes(), dense.sym_strides(), dense.options());
}

// The same with other strides.
inline at::Tensor new_strided(const at::Tensor& like, c10::SymIntArrayRef strides) {
  if (like.is_cpu()) {
    return at::detail::empty_strided_cpu(like.sizes(), C10_AS_INTARRAYREF_SLOW(strides),
                                         like.scalar_type());
  }
  return at::empty_strided_symint(like.sym_sizes(), strides, like.options());
}

// A contiguous tensor of `rows` x `columns` bytes on the device of one.
inline at::Tensor new_bytes(int64_t rows, const c10::SymInt& columns, const at::Tensor& like) {
  if (like.is_cpu()) {
    return at::detail::empty_cpu({rows, columns.guard_int(__FILE__, __LINE__)}, at::kByte);
  }
  return at::empty_symint({rows, columns}, like.options().dtype(at::kByte));
}

}  // namespace fastgan
