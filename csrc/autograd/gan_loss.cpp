#include "ops/gan_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/sigmoid.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include <tuple>
#include <utility>

#include "autograd/backward_node.h"

namespace fastgan {
namespace {

// The gradient of one side's logits is grad * weight / n * (sigmoid(logits) - target). Returns the
// derivatives of its product with `along`, a tensor like logits, with respect to grad, which is one
// number, and to logits. They are composed of torch's operations, so they can be differentiated
// again. Halves are computed in float32.
std::pair<Tensor, Tensor> second_derivatives(const Tensor& along, const Tensor& grad,
                                             const Tensor& logits, double target, double weight) {
  if (!along.defined()) return {};
  const at::ScalarType type = grad.scalar_type();
  const Tensor x = logits.to(type);
  const Tensor direction = along.to(type) * weight / logits.sym_numel();
  const Tensor probability = at::sigmoid(x);
  // sigmoid(-x) instead of 1 - sigmoid(x) keeps digits at targets 0 and 1.
  const Tensor gradient = (1.0 - target) * probability - target * at::sigmoid(-x);
  return {(direction * gradient).sum(),
          (direction * grad * probability * at::sigmoid(-x)).to(logits.scalar_type())};
}

Tensor sum(const Tensor& a, const Tensor& b) { return !a.defined() ? b : !b.defined() ? a : a + b; }

// Of (grad, real, fake).
struct GanLossDoubleBackward {
  static constexpr const char* kName = "FastganDiscriminatorLossBackward";
  static constexpr int kInputs = 3;
  static constexpr int kSaved = 3;
  static constexpr int kOutputs = 2;
  using Constants = GanLossSettings;

  static variable_list backward(const BackwardCall<GanLossDoubleBackward>& call) {
    const auto& [grad, real, fake] = call.saved;
    const auto of_real = second_derivatives(call.grads[0], grad, real, call.constants.real_target,
                                            call.constants.real_weight);
    const auto of_fake = second_derivatives(call.grads[1], grad, fake, call.constants.fake_target,
                                            call.constants.fake_weight);
    return {sum(of_real.first, of_fake.first), of_real.second, of_fake.second};
  }
};

// Of (real, fake).
struct GanLossBackward {
  static constexpr const char* kName = "FastganDiscriminatorLoss";
  static constexpr int kInputs = 2;
  static constexpr int kSaved = 2;
  static constexpr int kOutputs = 1;
  using Constants = GanLossSettings;

  static variable_list backward(const BackwardCall<GanLossBackward>& call) {
    if (!call.grads[0].defined()) return variable_list(kInputs);
    auto [grad_real, grad_fake] =
        ops::gan_loss_backward::call(call.grads[0], call.saved[0], call.saved[1], call.constants);
    return {std::move(grad_real), std::move(grad_fake)};
  }
};

// Of (grad, fake).
struct GeneratorLossDoubleBackward {
  static constexpr const char* kName = "FastganGeneratorLossBackward";
  static constexpr int kInputs = 2;
  static constexpr int kSaved = 2;
  static constexpr int kOutputs = 1;
  using Constants = GeneratorLossSettings;

  static variable_list backward(const BackwardCall<GeneratorLossDoubleBackward>& call) {
    auto [by_grad, by_fake] = second_derivatives(call.grads[0], call.saved[0], call.saved[1],
                                                 call.constants.target, call.constants.weight);
    return {std::move(by_grad), std::move(by_fake)};
  }
};

// Of fake.
struct GeneratorLossBackward {
  static constexpr const char* kName = "FastganGeneratorLoss";
  static constexpr int kInputs = 1;
  static constexpr int kSaved = 1;
  static constexpr int kOutputs = 1;
  using Constants = GeneratorLossSettings;

  static variable_list backward(const BackwardCall<GeneratorLossBackward>& call) {
    if (!call.grads[0].defined()) return variable_list(kInputs);
    return {ops::generator_loss_backward::call(call.grads[0], call.saved[0], call.constants)};
  }
};

std::tuple<Tensor, Tensor> gan_loss_autograd(const Tensor& real, const Tensor& fake,
                                             const GanLossSettings& settings) {
  using Op = ops::gan_loss;
  return differentiable<GanLossBackward>(
      Op::kName, settings, [&] { return Op::call(real, fake, settings); }, real, fake);
}

std::tuple<Tensor, Tensor> gan_loss_backward_autograd(const Tensor& grad, const Tensor& real,
                                                      const Tensor& fake,
                                                      const GanLossSettings& settings) {
  using Op = ops::gan_loss_backward;
  return differentiable<GanLossDoubleBackward>(
      Op::kName, settings, [&] { return Op::call(grad, real, fake, settings); }, grad, real, fake);
}

Tensor generator_loss_autograd(const Tensor& fake, const GeneratorLossSettings& settings) {
  using Op = ops::generator_loss;
  return differentiable<GeneratorLossBackward>(
      Op::kName, settings, [&] { return Op::call(fake, settings); }, fake);
}

Tensor generator_loss_backward_autograd(const Tensor& grad, const Tensor& fake,
                                        const GeneratorLossSettings& settings) {
  using Op = ops::generator_loss_backward;
  return differentiable<GeneratorLossDoubleBackward>(
      Op::kName, settings, [&] { return Op::call(grad, fake, settings); }, grad, fake);
}

}  // namespace

TORCH_LIBRARY_IMPL(fastgan, Autograd, m) {
  ops::gan_loss::implement<gan_loss_autograd>(m);
  ops::gan_loss_backward::implement<gan_loss_backward_autograd>(m);
  ops::generator_loss::implement<generator_loss_autograd>(m);
  ops::generator_loss_backward::implement<generator_loss_backward_autograd>(m);
}

}  // namespace fastgan
