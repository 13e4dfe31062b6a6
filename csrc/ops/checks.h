#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

// An error names the op and the argument, what was expected and what was given:
//   fastgan::bce: expected target of shape [8, 1], got [8]

namespace fastgan {

// The dtypes that every op takes.
inline void check_floating(const char* op, const char* argument, const at::Tensor& tensor) {
  const at::ScalarType type = tensor.scalar_type();
  TORCH_CHECK_TYPE(
      type == at::kFloat || type == at::kDouble || type == at::kHalf || type == at::kBFloat16,
      "fastgan::", op, ": expected ", argument,
      " of dtype float32, float64, float16 or bfloat16, got ", type);
}

inline void check_same_device(const char* op, const char* argument, const at::Tensor& tensor,
                              const at::Tensor& like) {
  TORCH_CHECK_TYPE(tensor.defined(), "fastgan::", op, ": expected ", argument,
                   " to be a tensor, got None");
  TORCH_CHECK(tensor.device() == like.device(), "fastgan::", op, ": expected ", argument, " on ",
              like.device(), ", got ", tensor.device());
}

}  // namespace fastgan
