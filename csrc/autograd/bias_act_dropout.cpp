#include "ops/bias_act_dropout.h"

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "autograd/tangents.h"

namespace fastgan {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using Settings = BiasActDropoutSettings;
using BackwardSettings = BiasActDropoutBackwardSettings;

void save(AutogradContext* ctx, const Tensor& state, const BackwardSettings& settings) {
  ctx->save_for_backward({state});
  ctx->saved_data["stride"] = settings.stride;
  ctx->saved_data["negative_slope"] = settings.negative_slope;
  ctx->saved_data["scale"] = settings.scale;
  ctx->saved_data["has_active"] = settings.has_active;
  ctx->saved_data["has_positive"] = settings.has_positive;
}

void save_bias(AutogradContext* ctx, const Settings& settings) {
  if (!settings.bias.has_value() || !settings.bias->requires_grad()) return;
  ctx->saved_data["channel_dim"] = settings.channel_dim;
  ctx->saved_data["bias_type"] = settings.bias->scalar_type();
}

Tensor gradient_of_input(AutogradContext* ctx, const Tensor& grad) {
  if (!grad.defined()) return {};
  auto& data = ctx->saved_data;
  const std::vector<c10::SymInt> stride = data["stride"].toSymIntVector();
  return ops::bias_act_dropout_backward::call(
      grad, ctx->get_saved_variables()[0],
      {stride, data["negative_slope"].toDouble(), data["scale"].toDouble(),
       data["has_active"].toBool(), data["has_positive"].toBool()});
}

// The sum of the input's gradient over all dimensions but the channels', in the bias' dtype.
Tensor gradient_of_bias(AutogradContext* ctx, const Tensor& grad_input) {
  auto& data = ctx->saved_data;
  if (!grad_input.defined() || data.count("bias_type") == 0) return {};
  const int64_t channel_dim = at::maybe_wrap_dim(data["channel_dim"].toInt(), grad_input.dim());
  std::vector<int64_t> others;
  for (int64_t dim = 0; dim < grad_input.dim(); ++dim) {
    if (dim != channel_dim) others.push_back(dim);
  }
  const at::ScalarType type = data["bias_type"].toScalarType();
  // sum() over no dimensions would be the sum over all.
  return others.empty() ? grad_input.to(type) : grad_input.sum(others, false, type);
}

// Of (input, bias, settings). apply() finds the tensors to differentiate by among its arguments, so
// the bias is an argument of its own too.
class BiasActDropoutFunction : public torch::autograd::Function<BiasActDropoutFunction> {
 public:
  static variable_list forward(AutogradContext* ctx, const Tensor& input, const OptionalTensor&,
                               const Settings& settings) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [output, state] = ops::bias_act_dropout::call(input, settings);
    const auto stride = output.sym_strides();
    save(ctx, state, settings.backward(stride));
    save_bias(ctx, settings);
    ctx->mark_non_differentiable({state});
    return {output, state};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const Tensor grad_input = gradient_of_input(ctx, grads[0]);
    return {grad_input, gradient_of_bias(ctx, grad_input), {}};
  }
};

// Returns only the input, as autograd refuses to modify a view in place in a Function with two
// outputs. The state is returned through `state`.
class BiasActDropoutInplaceFunction
    : public torch::autograd::Function<BiasActDropoutInplaceFunction> {
 public:
  static Tensor forward(AutogradContext* ctx, Tensor input, const OptionalTensor&,
                        const Settings& settings, Tensor* state) {
    const at::AutoDispatchBelowADInplaceOrView below;
    *state = ops::bias_act_dropout_::call(input, settings);
    save(ctx, *state, settings.backward(input.sym_strides()));
    save_bias(ctx, settings);
    ctx->mark_dirty({input});
    return input;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const Tensor grad_input = gradient_of_input(ctx, grads[0]);
    return {grad_input, gradient_of_bias(ctx, grad_input), {}, {}};
  }
};

// Linear in the gradient with constant factors, so the derivative is the same op again.
class BiasActDropoutBackwardFunction
    : public torch::autograd::Function<BiasActDropoutBackwardFunction> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& grad, const Tensor& state,
                        const BackwardSettings& settings) {
    const at::AutoDispatchBelowADInplaceOrView below;
    save(ctx, state, settings);
    return ops::bias_act_dropout_backward::call(grad, state, settings);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return {gradient_of_input(ctx, grads[0]), {}, {}};
  }
};

bool needs_gradient(const char* op, const Tensor& input, const OptionalTensor& bias) {
  check_no_tangent(op, input, bias);
  return at::GradMode::is_enabled() &&
         (input.requires_grad() || (bias.has_value() && bias->requires_grad()));
}

Settings with_state(const Settings& settings) {
  Settings result = settings;
  result.needs_state = true;
  return result;
}

std::tuple<Tensor, Tensor> forward_autograd(const Tensor& input, const Settings& settings) {
  if (!needs_gradient(ops::bias_act_dropout::kName, input, settings.bias)) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return ops::bias_act_dropout::call(input, settings);
  }
  variable_list out = BiasActDropoutFunction::apply(input, settings.bias, with_state(settings));
  return {std::move(out[0]), std::move(out[1])};
}

Tensor inplace_autograd(Tensor& input, const Settings& settings) {
  const char* op = ops::bias_act_dropout_::kName;
  if (!needs_gradient(op, input, settings.bias)) {
    const at::AutoDispatchBelowAutograd below;
    return ops::bias_act_dropout_::call(input, settings);
  }
  // Checked here, before anything is written: mark_dirty() raises its error after the write.
  TORCH_CHECK(!(input.requires_grad() && input.is_leaf()), "fastgan::", op,
              ": expected input that is not a leaf variable that requires grad (inplace=True "
              "would overwrite it), got a leaf of shape ",
              input.sizes(), "; use inplace=False");
  torch::autograd::check_inplace(input, /*requires_grad=*/true);
  if (!input.is_non_overlapping_and_dense()) {
    auto [output, state] = forward_autograd(input, with_state(settings));
    input.copy_(output);
    return state;
  }
  Tensor state;
  BiasActDropoutInplaceFunction::apply(input, settings.bias, with_state(settings), &state);
  return state;
}

// Bumps the input's version, for whoever saved it for a backward. This is a kernel of its own, as
// the Autograd one is not called in inference mode, where a tensor made outside of it can be
// modified, too.
Tensor inplace_versioned(Tensor& input, const Settings& settings) {
  TORCH_CHECK(!input.is_inference() || c10::InferenceMode::is_enabled(),
              "fastgan::", ops::bias_act_dropout_::kName,
              ": expected input that was not made in inference mode, got such a tensor outside of "
              "it; clone() it first");
  Tensor state = [&] {
    const at::AutoDispatchBelowADInplaceOrView below;
    return ops::bias_act_dropout_::call(input, settings);
  }();
  torch::autograd::increment_version(input);
  return state;
}

Tensor backward_autograd(const Tensor& grad, const Tensor& state,
                         const BackwardSettings& settings) {
  if (!needs_gradient(ops::bias_act_dropout_backward::kName, grad, std::nullopt)) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return ops::bias_act_dropout_backward::call(grad, state, settings);
  }
  return BiasActDropoutBackwardFunction::apply(grad, state, settings);
}

}  // namespace

TORCH_LIBRARY_IMPL(fastgan, Autograd, m) {
  ops::bias_act_dropout::implement<forward_autograd>(m);
  ops::bias_act_dropout_::implement<inplace_autograd>(m);
  ops::bias_act_dropout_backward::implement<backward_autograd>(m);
}

TORCH_LIBRARY_IMPL(fastgan, ADInplaceOrView, m) {
  ops::bias_act_dropout_::implement<inplace_versioned>(m);
}

}  // namespace fastgan
