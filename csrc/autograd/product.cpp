#include "ops/product.h"

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include <optional>
#include <tuple>

#include "autograd/backward_node.h"

namespace fastgan {
namespace {

bool transposed(const Tensor& matrix) {
  return matrix.sym_stride(0) == 1 && matrix.sym_stride(1) == matrix.sym_size(0);
}

// Of (a, b, bias). The gradients are products again, so they are differentiable, too.
struct ProductBackward {
  static constexpr const char* kName = "FastganProduct";
  static constexpr int kInputs = 3;
  static constexpr int kSaved = 2;
  struct Constants {
    int64_t threads;
    auto fields() { return std::tie(threads); }
  };

  static variable_list backward(const BackwardCall<ProductBackward>& call) {
    variable_list result(kInputs);
    const Tensor& grad = call.grads[0];
    if (!grad.defined()) return result;
    const auto& [a, b] = call.saved;
    const ProductSettings settings{call.constants.threads};
    if (call.needs[0]) result[0] = ops::product::call(grad, b.t(), std::nullopt, settings);
    if (call.needs[1]) {
      // Where b is a transposed matrix, its gradient is one, too: a weight gets it as it is.
      result[1] = transposed(b) ? ops::product::call(grad.t(), a, std::nullopt, settings).t()
                                : ops::product::call(a.t(), grad, std::nullopt, settings);
    }
    if (call.needs[2]) result[2] = grad.sum(0);
    return result;
  }
};

Tensor product_autograd(const Tensor& a, const Tensor& b, const OptionalTensor& bias,
                        const ProductSettings& settings) {
  using Op = ops::product;
  const bool wanted = needs_gradient(Op::kName, a, b, bias);
  Tensor output = below_autograd([&] { return Op::call(a, b, bias, settings); });
  if (wanted) {
    const auto node = new_node<ProductBackward>({settings.threads}, {a, b}, a, b, bias);
    torch::autograd::set_history(output, node);
  }
  return output;
}

void product_out_autograd(const Tensor& output, const Tensor& a, const Tensor& b,
                          const OptionalTensor& bias, const ProductSettings& settings) {
  using Op = ops::product_out;
  TORCH_CHECK(!needs_gradient(Op::kName, output, a, b, bias), "fastgan::", Op::kName,
              ": expected inputs that need no gradient");
  below_autograd([&] { Op::call(output, a, b, bias, settings); });
  torch::autograd::impl::bump_version(output);
}

}  // namespace

TORCH_LIBRARY_IMPL(fastgan, Autograd, m) {
  ops::product::implement<product_autograd>(m);
  ops::product_out::implement<product_out_autograd>(m);
}

}  // namespace fastgan
