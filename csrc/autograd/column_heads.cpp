#include "ops/column_heads.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include <utility>
#include <vector>

#include "autograd/backward_node.h"
#include "autograd/column_pieces.h"

namespace fastgan {
namespace {

Tensor gradient(const Tensor& grad, const Tensor& output, const ColumnConstants& constants) {
  return ops::column_heads_backward::call(grad, output,
                                          {constants.scalars, constants.widths, constants.tau});
}

// The derivative of <along, gradient> by the output y: -2 y grad along for a scalar, and for a
// segment, whose gradient is y (grad - <grad, y>) / tau, the sum of what the three y give.
Tensor derivative_by_output(const Tensor& along, const Tensor& grad, const Tensor& output,
                            const ColumnConstants& constants) {
  const std::vector<Tensor> directions = pieces_of(widened_rows(along), constants);
  const std::vector<Tensor> grads = pieces_of(widened_rows(grad), constants);
  const std::vector<Tensor> outputs = pieces_of(widened_rows(output), constants);
  std::vector<Tensor> results{-2.0 * outputs[0] * grads[0] * directions[0]};
  for (size_t i = 1; i < outputs.size(); ++i) {
    const Tensor &v = directions[i], &g = grads[i], &y = outputs[i];
    const Tensor of_grad = (g * y).sum(-1, /*keepdim=*/true);
    const Tensor of_direction = (v * y).sum(-1, /*keepdim=*/true);
    results.push_back((v * (g - of_grad) - g * of_direction) / constants.tau);
  }
  return at::cat(results, -1).to(output.scalar_type());
}

// Of (grad, output). The gradient is linear in `grad` with a symmetric matrix, so its derivative by
// that is the same op again.
struct ColumnHeadsDoubleBackward {
  static constexpr const char* kName = "FastganColumnHeadsBackward";
  static constexpr int kInputs = 2;
  static constexpr int kSaved = 2;
  static constexpr int kOutputs = 1;
  using Constants = ColumnConstants;

  static variable_list backward(const BackwardCall<ColumnHeadsDoubleBackward>& call) {
    variable_list result(kInputs);
    const Tensor& along = call.grads[0];
    if (!along.defined()) return result;
    const auto& [grad, output] = call.saved;
    if (call.needs[0]) result[0] = gradient(along, output, call.constants);
    if (call.needs[1]) result[1] = derivative_by_output(along, grad, output, call.constants);
    return result;
  }
};

// Of input; saves the output.
struct ColumnHeadsBackward {
  static constexpr const char* kName = "FastganColumnHeads";
  static constexpr int kInputs = 1;
  static constexpr int kSaved = 1;
  using Constants = ColumnConstants;

  static variable_list backward(const BackwardCall<ColumnHeadsBackward>& call) {
    if (!call.grads[0].defined()) return variable_list(kInputs);
    return {gradient(call.grads[0], call.saved[0], call.constants)};
  }
};

Tensor heads_autograd(const Tensor& input, const ColumnHeadsSettings& settings) {
  using Op = ops::column_heads;
  const bool wanted = needs_gradient(Op::kName, input);
  Tensor output = below_autograd([&] { return Op::call(input, settings); });
  if (wanted) {
    const auto node = new_node<ColumnHeadsBackward>(
        {settings.scalars, settings.widths.vec(), settings.tau}, {}, input);
    torch::autograd::set_history(output, node);
    node->save_output(0, output);
  }
  return output;
}

Tensor backward_autograd(const Tensor& grad, const Tensor& output,
                         const ColumnHeadsBackwardSettings& settings) {
  using Op = ops::column_heads_backward;
  return differentiable<ColumnHeadsDoubleBackward>(
      Op::kName, {settings.scalars, settings.widths.vec(), settings.tau},
      [&] { return Op::call(grad, output, settings); }, grad, output);
}

}  // namespace

TORCH_LIBRARY_IMPL(fastgan, Autograd, m) {
  ops::column_heads::implement<heads_autograd>(m);
  ops::column_heads_backward::implement<backward_autograd>(m);
}

}  // namespace fastgan
