#include "kernels/bias_act_dropout.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "autograd/tangents.h"
#include "math/octet.h"

namespace fastgan {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using Forward = std::tuple<Tensor, Tensor>(const Tensor&, const std::optional<Tensor>&, int64_t,
                                           double, double, std::optional<double>, double, bool,
                                           std::optional<c10::SymInt>, c10::SymInt,
                                           const std::optional<at::Generator>&, bool);
using Inplace = Tensor(Tensor&, const std::optional<Tensor>&, int64_t, double, double,
                       std::optional<double>, double, bool, std::optional<c10::SymInt>, c10::SymInt,
                       const std::optional<at::Generator>&, bool);
using Backward = Tensor(const Tensor&, const Tensor&, c10::SymIntArrayRef, double, double, bool,
                        bool);

const auto& forward_op() {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("fastgan::bias_act_dropout", "")
                             .typed<Forward>();
  return op;
}
const auto& inplace_op() {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("fastgan::bias_act_dropout_", "")
                             .typed<Inplace>();
  return op;
}
const auto& backward_op() {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("fastgan::bias_act_dropout_backward", "")
                             .typed<Backward>();
  return op;
}

// What the backward needs besides the state, all of it numbers.
struct Linear {
  double negative_slope;
  double scale;  // gain times dropout's
  Planes planes;
};

Linear linear_of(double negative_slope, double gain, bool has_clamp, double p) {
  const uint32_t threshold = dropout_threshold(p);
  return {negative_slope, gain * dropout_scale(threshold),
          planes_of(negative_slope, has_clamp, threshold)};
}

void save(AutogradContext* ctx, const Linear& linear, const Tensor& state,
          c10::SymIntArrayRef stride, const std::optional<Tensor>& bias, int64_t channel_dim) {
  ctx->save_for_backward({state});
  ctx->saved_data["stride"] = stride;
  ctx->saved_data["negative_slope"] = linear.negative_slope;
  ctx->saved_data["scale"] = linear.scale;
  ctx->saved_data["has_active"] = linear.planes.active;
  ctx->saved_data["has_positive"] = linear.planes.positive;
  ctx->saved_data["channel_dim"] = channel_dim;
  if (bias.has_value() && bias->requires_grad()) ctx->saved_data["bias_type"] = bias->scalar_type();
}

// Gradients of the input and of the bias, the sum over the other dimensions in the bias' own dtype.
std::pair<Tensor, Tensor> gradients(AutogradContext* ctx, const Tensor& grad) {
  if (!grad.defined()) return {};
  auto& data = ctx->saved_data;
  const Tensor grad_input =
      backward_op().call(grad, ctx->get_saved_variables()[0], data["stride"].toSymIntVector(),
                         data["negative_slope"].toDouble(), data["scale"].toDouble(),
                         data["has_active"].toBool(), data["has_positive"].toBool());
  if (data.count("bias_type") == 0) return {grad_input, Tensor()};
  const int64_t channel_dim = at::maybe_wrap_dim(data["channel_dim"].toInt(), grad.dim());
  std::vector<int64_t> others;
  for (int64_t dim = 0; dim < grad.dim(); ++dim) {
    if (dim != channel_dim) others.push_back(dim);
  }
  const at::ScalarType type = data["bias_type"].toScalarType();
  // With no dimension named, sum() would sum over all.
  return {grad_input, others.empty() ? grad_input.to(type) : grad_input.sum(others, false, type)};
}

class BiasActDropout : public torch::autograd::Function<BiasActDropout> {
 public:
  static variable_list forward(AutogradContext* ctx, const Tensor& input,
                               const std::optional<Tensor>& bias, int64_t channel_dim,
                               double negative_slope, double gain, std::optional<double> clamp,
                               double p, bool feature, std::optional<c10::SymInt> seed,
                               c10::SymInt offset, const std::optional<at::Generator>& generator) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [output, state] =
        forward_op().call(input, bias, channel_dim, negative_slope, gain, clamp, p, feature,
                          std::move(seed), std::move(offset), generator, true);
    save(ctx, linear_of(negative_slope, gain, clamp.has_value(), p), state, output.sym_strides(),
         bias, channel_dim);
    ctx->mark_non_differentiable({state});
    return {output, state};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto [grad_input, grad_bias] = gradients(ctx, grads[0]);
    return {grad_input, grad_bias, {}, {}, {}, {}, {}, {}, {}, {}, {}};
  }
};

// Returns the input only: autograd refuses views that are modified in place by a Function with two
// outputs. The state goes out through `state`.
class BiasActDropoutInplace : public torch::autograd::Function<BiasActDropoutInplace> {
 public:
  static Tensor forward(AutogradContext* ctx, Tensor input, const std::optional<Tensor>& bias,
                        int64_t channel_dim, double negative_slope, double gain,
                        std::optional<double> clamp, double p, bool feature,
                        std::optional<c10::SymInt> seed, c10::SymInt offset,
                        const std::optional<at::Generator>& generator, Tensor* state) {
    const at::AutoDispatchBelowADInplaceOrView below;
    *state = inplace_op().call(input, bias, channel_dim, negative_slope, gain, clamp, p, feature,
                               std::move(seed), std::move(offset), generator, true);
    save(ctx, linear_of(negative_slope, gain, clamp.has_value(), p), *state, input.sym_strides(),
         bias, channel_dim);
    ctx->mark_dirty({input});
    return input;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto [grad_input, grad_bias] = gradients(ctx, grads[0]);
    return {grad_input, grad_bias, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}};
  }
};

// Linear in the gradient with constant factors, so its derivative is itself.
class BiasActDropoutBackward : public torch::autograd::Function<BiasActDropoutBackward> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& grad, const Tensor& state,
                        c10::SymIntArrayRef stride, double negative_slope, double scale,
                        bool has_active, bool has_positive) {
    const at::AutoDispatchBelowADInplaceOrView below;
    save(ctx, {negative_slope, scale, {has_active, has_positive}}, state, stride, std::nullopt, 0);
    return backward_op().call(grad, state, stride, negative_slope, scale, has_active, has_positive);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return {gradients(ctx, grads[0]).first, {}, {}, {}, {}, {}, {}};
  }
};

bool needs_gradient(const char* op, const Tensor& input, const std::optional<Tensor>& bias) {
  check_no_tangent(op, input, bias);
  return at::GradMode::is_enabled() &&
         (input.requires_grad() || (bias.has_value() && bias->requires_grad()));
}

std::tuple<Tensor, Tensor> forward_autograd(const Tensor& input, const std::optional<Tensor>& bias,
                                            int64_t channel_dim, double negative_slope, double gain,
                                            std::optional<double> clamp, double p, bool feature,
                                            std::optional<c10::SymInt> seed, c10::SymInt offset,
                                            const std::optional<at::Generator>& generator,
                                            bool needs_state) {
  if (!needs_gradient("bias_act_dropout", input, bias)) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return forward_op().call(input, bias, channel_dim, negative_slope, gain, clamp, p, feature,
                             std::move(seed), std::move(offset), generator, needs_state);
  }
  variable_list out =
      BiasActDropout::apply(input, bias, channel_dim, negative_slope, gain, clamp, p, feature,
                            std::move(seed), std::move(offset), generator);
  return {std::move(out[0]), std::move(out[1])};
}

Tensor inplace_autograd(Tensor& input, const std::optional<Tensor>& bias, int64_t channel_dim,
                        double negative_slope, double gain, std::optional<double> clamp, double p,
                        bool feature, std::optional<c10::SymInt> seed, c10::SymInt offset,
                        const std::optional<at::Generator>& generator, bool needs_state) {
  if (!needs_gradient("bias_act_dropout_", input, bias)) {
    const at::AutoDispatchBelowAutograd below;
    return inplace_op().call(input, bias, channel_dim, negative_slope, gain, clamp, p, feature,
                             std::move(seed), std::move(offset), generator, needs_state);
  }
  // Refused before anything is written: mark_dirty raises only after.
  TORCH_CHECK(!(input.requires_grad() && input.is_leaf()),
              "fastgan::bias_act_dropout_: expected input that is not a leaf variable that "
              "requires grad (inplace=True "
              "would overwrite it), got a leaf of shape ",
              input.sizes(), "; use inplace=False");
  torch::autograd::check_inplace(input, /*requires_grad=*/true);
  if (!input.is_non_overlapping_and_dense()) {
    auto [output, state] =
        forward_autograd(input, bias, channel_dim, negative_slope, gain, clamp, p, feature,
                         std::move(seed), std::move(offset), generator, true);
    input.copy_(output);
    return state;
  }
  Tensor state;
  BiasActDropoutInplace::apply(input, bias, channel_dim, negative_slope, gain, clamp, p, feature,
                               std::move(seed), std::move(offset), generator, &state);
  return state;
}

// Also in inference mode, where the kernel above is not called: what others have saved of a tensor
// from outside has changed.
Tensor inplace_versioned(Tensor& input, const std::optional<Tensor>& bias, int64_t channel_dim,
                         double negative_slope, double gain, std::optional<double> clamp, double p,
                         bool feature, std::optional<c10::SymInt> seed, c10::SymInt offset,
                         const std::optional<at::Generator>& generator, bool needs_state) {
  TORCH_CHECK(!input.is_inference() || c10::InferenceMode::is_enabled(),
              "fastgan::bias_act_dropout_: expected input that was not made in inference mode, got "
              "such a tensor outside of it; clone() it first");
  Tensor state = [&] {
    const at::AutoDispatchBelowADInplaceOrView below;
    return inplace_op().call(input, bias, channel_dim, negative_slope, gain, clamp, p, feature,
                             std::move(seed), std::move(offset), generator, needs_state);
  }();
  torch::autograd::increment_version(input);
  return state;
}

Tensor backward_autograd(const Tensor& grad, const Tensor& state, c10::SymIntArrayRef stride,
                         double negative_slope, double scale, bool has_active, bool has_positive) {
  if (!needs_gradient("bias_act_dropout_backward", grad, std::nullopt)) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return backward_op().call(grad, state, stride, negative_slope, scale, has_active, has_positive);
  }
  return BiasActDropoutBackward::apply(grad, state, stride, negative_slope, scale, has_active,
                                       has_positive);
}

}  // namespace

TORCH_LIBRARY_IMPL(fastgan, Autograd, m) {
  m.impl("bias_act_dropout", TORCH_FN(forward_autograd));
  m.impl("bias_act_dropout_", TORCH_FN(inplace_autograd));
  m.impl("bias_act_dropout_backward", TORCH_FN(backward_autograd));
}

TORCH_LIBRARY_IMPL(fastgan, ADInplaceOrView, m) {
  m.impl("bias_act_dropout_", TORCH_FN(inplace_versioned));
}

}  // namespace fastgan
