#include "ops/product.h"

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include <optional>
#include <tuple>

#include "autograd/backward_node.h"

namespace fastgan {
namespace {

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
    if (call.needs[1]) result[1] = ops::product::call(a.t(), grad, std::nullopt, settings);
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

}  // namespace

TORCH_LIBRARY_IMPL(fastgan, Autograd, m) { ops::product::implement<product_autograd>(m); }

}  // namespace fastgan
