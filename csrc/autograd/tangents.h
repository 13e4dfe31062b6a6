#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <optional>

namespace fastgan {

inline bool has_tangent(const at::Tensor& tensor) {
  return tensor.defined() && tensor._fw_grad(/*level=*/0).defined();
}
inline bool has_tangent(const std::optional<at::Tensor>& tensor) {
  return tensor.has_value() && has_tangent(*tensor);
}

// No op has a forward-mode derivative. Without this error the kernels would drop the tangent. Under
// torch.func.jvp the Python functions are composed of torch's operations, which have one.
template <class... Tensors>
void check_no_tangent(const char* op, const Tensors&... tensors) {
  TORCH_CHECK_NOT_IMPLEMENTED(
      !(has_tangent(tensors) || ...), "fastgan::", op,
      ": expected no forward-mode gradient, got one; torch.func.jvp of fastgan's "
      "functions and layers computes it");
}

}  // namespace fastgan
