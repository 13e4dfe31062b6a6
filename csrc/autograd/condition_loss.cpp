#include "ops/condition_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include <utility>
#include <vector>

#include "autograd/backward_node.h"
#include "autograd/column_pieces.h"

namespace fastgan {
namespace {

Tensor gradient(const Tensor& grad, const Tensor& input, const Tensor& conditions,
                const ColumnConstants& constants) {
  return ops::condition_loss_backward::call(grad, input, conditions,
                                            {constants.scalars, constants.widths});
}

// The softmax of each row's conditioned segment, and 0 elsewhere.
Tensor probabilities(const Tensor& rows, const Tensor& conditions,
                     const ColumnConstants& constants) {
  const std::vector<Tensor> pieces = pieces_of(rows, constants);
  std::vector<Tensor> results{at::zeros_like(pieces[0])};
  const Tensor entry = conditions.unsqueeze(-1);
  int64_t start = 0;
  for (size_t i = 1; i < pieces.size(); ++i) {
    const int64_t end = start + pieces[i].size(-1);
    const Tensor inside = entry.ge(start).logical_and(entry.lt(end));
    results.push_back(pieces[i].softmax(-1) * inside);
    start = end;
  }
  return at::cat(results, -1);
}

// Of (grad, input, conditions). The gradient of a row is grad / rows * (p - 1 at the condition),
// where p are the probabilities.
struct ConditionLossDoubleBackward {
  static constexpr const char* kName = "FastganConditionLossBackward";
  static constexpr int kInputs = 3;
  static constexpr int kSaved = 3;
  static constexpr int kOutputs = 1;
  using Constants = ColumnConstants;

  static variable_list backward(const BackwardCall<ConditionLossDoubleBackward>& call) {
    variable_list result(kInputs);
    if (!call.grads[0].defined()) return result;
    const auto& [grad, input, conditions] = call.saved;
    const Tensor along = widened_rows(call.grads[0]);
    if (call.needs[0]) {
      const Tensor one = at::ones_like(grad);
      const Tensor of_one = gradient(one, widened_rows(input), conditions, call.constants);
      result[0] = (along * of_one).sum().to(grad.scalar_type());
    }
    if (call.needs[1]) {
      const Tensor p = probabilities(widened_rows(input), conditions, call.constants);
      const Tensor factor = grad.to(p.scalar_type()) / conditions.sym_numel();
      const Tensor centred = along - (p * along).sum(-1, /*keepdim=*/true);
      result[1] = (factor * p * centred).to(input.scalar_type());
    }
    return result;
  }
};

// Of (input, conditions).
struct ConditionLossBackward {
  static constexpr const char* kName = "FastganConditionLoss";
  static constexpr int kInputs = 2;
  static constexpr int kSaved = 2;
  static constexpr int kOutputs = 1;
  using Constants = ColumnConstants;

  static variable_list backward(const BackwardCall<ConditionLossBackward>& call) {
    variable_list result(kInputs);
    if (!call.grads[0].defined()) return result;
    const auto& [input, conditions] = call.saved;
    result[0] = gradient(call.grads[0], input, conditions, call.constants);
    return result;
  }
};

ColumnConstants constants_of(const ConditionLossSettings& settings) {
  return {settings.scalars, settings.widths.vec(), /*tau=*/1.0};
}

Tensor loss_autograd(const Tensor& input, const Tensor& conditions,
                     const ConditionLossSettings& settings) {
  using Op = ops::condition_loss;
  return differentiable<ConditionLossBackward>(
      Op::kName, constants_of(settings), [&] { return Op::call(input, conditions, settings); },
      input, conditions);
}

Tensor backward_autograd(const Tensor& grad, const Tensor& input, const Tensor& conditions,
                         const ConditionLossSettings& settings) {
  using Op = ops::condition_loss_backward;
  return differentiable<ConditionLossDoubleBackward>(
      Op::kName, constants_of(settings),
      [&] { return Op::call(grad, input, conditions, settings); }, grad, input, conditions);
}

}  // namespace

TORCH_LIBRARY_IMPL(fastgan, Autograd, m) {
  ops::condition_loss::implement<loss_autograd>(m);
  ops::condition_loss_backward::implement<backward_autograd>(m);
}

}  // namespace fastgan
