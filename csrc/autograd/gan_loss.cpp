#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/sigmoid.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace fastgan {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using Discriminator = std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, double, double,
                                                 double, double);
using DiscriminatorBackward = std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&,
                                                         const Tensor&, double, double, double,
                                                         double);
using Generator = Tensor(const Tensor&, double, double);
using GeneratorBackward = Tensor(const Tensor&, const Tensor&, double, double);

const auto& discriminator_op() {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("fastgan::gan_loss", "")
                             .typed<Discriminator>();
  return op;
}
const auto& discriminator_backward_op() {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("fastgan::gan_loss_backward", "")
                             .typed<DiscriminatorBackward>();
  return op;
}
const auto& generator_op() {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("fastgan::generator_loss", "")
                             .typed<Generator>();
  return op;
}
const auto& generator_backward_op() {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("fastgan::generator_loss_backward", "")
                             .typed<GeneratorBackward>();
  return op;
}

// Derivatives of one side's gradient, grad * weight / n * (sigmoid(x) - target), along `along`,
// which has the logits' shape: by grad, a number, and by the logits. Composed from torch's
// operations, so that they are differentiable again; the halves in float32.
std::pair<Tensor, Tensor> second_derivatives(const Tensor& along, const Tensor& grad,
                                             const Tensor& logits, double target, double weight) {
  if (!along.defined()) return {};
  const at::ScalarType type = grad.scalar_type();
  const Tensor x = logits.to(type);
  const Tensor direction = along.to(type) * weight / logits.sym_numel();
  const Tensor up = at::sigmoid(x);
  // The two probabilities, and not 1 minus one, keep digits at targets 0 and 1.
  const Tensor gradient = (1.0 - target) * up - target * at::sigmoid(-x);
  return {(direction * gradient).sum(),
          (direction * grad * up * at::sigmoid(-x)).to(logits.scalar_type())};
}

Tensor sum(const Tensor& a, const Tensor& b) { return !a.defined() ? b : !b.defined() ? a : a + b; }

class DiscriminatorLossBackward : public torch::autograd::Function<DiscriminatorLossBackward> {
 public:
  static variable_list forward(AutogradContext* ctx, const Tensor& grad, const Tensor& real,
                               const Tensor& fake, double real_target, double fake_target,
                               double real_weight, double fake_weight) {
    const at::AutoDispatchBelowADInplaceOrView below;
    ctx->save_for_backward({grad, real, fake});
    ctx->saved_data["numbers"] =
        std::vector<double>{real_target, fake_target, real_weight, fake_weight};
    auto [grad_real, grad_fake] = discriminator_backward_op().call(
        grad, real, fake, real_target, fake_target, real_weight, fake_weight);
    return {grad_real, grad_fake};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const auto numbers = ctx->saved_data["numbers"].toDoubleVector();
    const auto real = second_derivatives(grads[0], saved[0], saved[1], numbers[0], numbers[2]);
    const auto fake = second_derivatives(grads[1], saved[0], saved[2], numbers[1], numbers[3]);
    return {sum(real.first, fake.first), real.second, fake.second, {}, {}, {}, {}};
  }
};

class DiscriminatorLoss : public torch::autograd::Function<DiscriminatorLoss> {
 public:
  static variable_list forward(AutogradContext* ctx, const Tensor& real, const Tensor& fake,
                               double real_target, double fake_target, double real_weight,
                               double fake_weight) {
    const at::AutoDispatchBelowADInplaceOrView below;
    ctx->save_for_backward({real, fake});
    ctx->saved_data["numbers"] =
        std::vector<double>{real_target, fake_target, real_weight, fake_weight};
    auto [loss, statistics] =
        discriminator_op().call(real, fake, real_target, fake_target, real_weight, fake_weight);
    ctx->mark_non_differentiable({statistics});
    return {loss, statistics};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    if (!grads[0].defined()) return variable_list(6);
    const variable_list saved = ctx->get_saved_variables();
    const auto numbers = ctx->saved_data["numbers"].toDoubleVector();
    auto [real, fake] = discriminator_backward_op().call(grads[0], saved[0], saved[1], numbers[0],
                                                         numbers[1], numbers[2], numbers[3]);
    return {real, fake, {}, {}, {}, {}};
  }
};

class GeneratorLossBackward : public torch::autograd::Function<GeneratorLossBackward> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& grad, const Tensor& fake, double target,
                        double weight) {
    const at::AutoDispatchBelowADInplaceOrView below;
    ctx->save_for_backward({grad, fake});
    ctx->saved_data["target"] = target;
    ctx->saved_data["weight"] = weight;
    return generator_backward_op().call(grad, fake, target, weight);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    auto [by_grad, by_fake] =
        second_derivatives(grads[0], saved[0], saved[1], ctx->saved_data["target"].toDouble(),
                           ctx->saved_data["weight"].toDouble());
    return {by_grad, by_fake, {}, {}};
  }
};

class GeneratorLoss : public torch::autograd::Function<GeneratorLoss> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& fake, double target, double weight) {
    const at::AutoDispatchBelowADInplaceOrView below;
    ctx->save_for_backward({fake});
    ctx->saved_data["target"] = target;
    ctx->saved_data["weight"] = weight;
    return generator_op().call(fake, target, weight);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    if (!grads[0].defined()) return variable_list(3);
    return {generator_backward_op().call(grads[0], ctx->get_saved_variables()[0],
                                         ctx->saved_data["target"].toDouble(),
                                         ctx->saved_data["weight"].toDouble()),
            {},
            {}};
  }
};

template <class... Tensors>
bool any_requires_grad(const Tensors&... tensors) {
  return at::GradMode::is_enabled() && (tensors.requires_grad() || ...);
}

std::tuple<Tensor, Tensor> discriminator_autograd(const Tensor& real, const Tensor& fake,
                                                  double real_target, double fake_target,
                                                  double real_weight, double fake_weight) {
  if (any_requires_grad(real, fake)) {
    variable_list out =
        DiscriminatorLoss::apply(real, fake, real_target, fake_target, real_weight, fake_weight);
    return {std::move(out[0]), std::move(out[1])};
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return discriminator_op().call(real, fake, real_target, fake_target, real_weight, fake_weight);
}

std::tuple<Tensor, Tensor> discriminator_backward_autograd(const Tensor& grad, const Tensor& real,
                                                           const Tensor& fake, double real_target,
                                                           double fake_target, double real_weight,
                                                           double fake_weight) {
  if (any_requires_grad(grad, real, fake)) {
    variable_list out = DiscriminatorLossBackward::apply(grad, real, fake, real_target, fake_target,
                                                         real_weight, fake_weight);
    return {std::move(out[0]), std::move(out[1])};
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return discriminator_backward_op().call(grad, real, fake, real_target, fake_target, real_weight,
                                          fake_weight);
}

Tensor generator_autograd(const Tensor& fake, double target, double weight) {
  if (any_requires_grad(fake)) return GeneratorLoss::apply(fake, target, weight);
  const at::AutoDispatchBelowADInplaceOrView below;
  return generator_op().call(fake, target, weight);
}

Tensor generator_backward_autograd(const Tensor& grad, const Tensor& fake, double target,
                                   double weight) {
  if (any_requires_grad(grad, fake)) {
    return GeneratorLossBackward::apply(grad, fake, target, weight);
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return generator_backward_op().call(grad, fake, target, weight);
}

}  // namespace

TORCH_LIBRARY_IMPL(fastgan, Autograd, m) {
  m.impl("gan_loss", TORCH_FN(discriminator_autograd));
  m.impl("gan_loss_backward", TORCH_FN(discriminator_backward_autograd));
  m.impl("generator_loss", TORCH_FN(generator_autograd));
  m.impl("generator_loss_backward", TORCH_FN(generator_backward_autograd));
}

}  // namespace fastgan
