#include <ATen/autocast_mode.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/sigmoid.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace fastgan {
namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using Elementwise = Tensor(const Tensor&, const OptionalTensor&, double, const OptionalTensor&,
                           const OptionalTensor&);
using Reduced = Tensor(const Tensor&, const OptionalTensor&, double, const OptionalTensor&,
                       const OptionalTensor&, bool);
using Backward = Tensor(const Tensor&, const Tensor&, const OptionalTensor&, double,
                        const OptionalTensor&, const OptionalTensor&, bool);

template <class Signature>
auto find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

const auto& elementwise_op() {
  static const auto op = find<Elementwise>("fastgan::bce_with_logits");
  return op;
}
const auto& reduced_op() {
  static const auto op = find<Reduced>("fastgan::bce_with_logits_reduced");
  return op;
}
const auto& backward_op() {
  static const auto op = find<Backward>("fastgan::bce_with_logits_backward");
  return op;
}

// What a backward needs again.
struct Saved {
  Tensor input;
  OptionalTensor target;
  double target_value;
  OptionalTensor weight;
  OptionalTensor pos_weight;
  bool mean;
};

OptionalTensor optional(const Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
}

void save(AutogradContext* ctx, const Tensor& grad, const Tensor& input,
          const OptionalTensor& target, double target_value, const OptionalTensor& weight,
          const OptionalTensor& pos_weight, bool mean) {
  ctx->save_for_backward({input, target.value_or(Tensor()), weight.value_or(Tensor()),
                          pos_weight.value_or(Tensor()), grad});
  ctx->saved_data["target_value"] = target_value;
  ctx->saved_data["mean"] = mean;
}

Saved saved(AutogradContext* ctx, const variable_list& tensors) {
  return {tensors[0],           optional(tensors[1]), ctx->saved_data["target_value"].toDouble(),
          optional(tensors[2]), optional(tensors[3]), ctx->saved_data["mean"].toBool()};
}

// What multiplies every element's loss: the gradient that came in, the weight and, for the mean, 1
// / n. In float32 for the halves, as everything that is composed here.
Tensor factor_of(const Tensor& grad, const Saved& of) {
  Tensor factor = grad;
  if (of.weight.has_value()) factor = factor * *of.weight;
  return of.mean ? factor / of.input.sym_numel() : factor;
}

Tensor widened(const Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? tensor : tensor.to(at::kFloat);
}

// The loss' derivative by the target: softplus(-x) pos_weight - softplus(x).
Tensor by_target(const Saved& of) {
  const Tensor x = widened(of.input);
  if (!of.pos_weight.has_value()) return -x;
  return at::log_sigmoid(-x) - widened(*of.pos_weight) * at::log_sigmoid(x);
}

// The gradient's own derivatives, by the input and by the target.
Tensor gradient_by_input(const Saved& of) {
  const Tensor x = widened(of.input);
  const Tensor curvature = at::sigmoid(x) * at::sigmoid(-x);
  if (!of.pos_weight.has_value()) return curvature;
  const Tensor target =
      of.target.has_value() ? widened(*of.target) : at::full_like(x, of.target_value);
  return curvature * (1 - target + widened(*of.pos_weight) * target);
}

Tensor gradient_by_target(const Saved& of) {
  const Tensor x = widened(of.input);
  if (!of.pos_weight.has_value()) return at::full_like(x, -1.0);
  return -(at::sigmoid(x) + widened(*of.pos_weight) * at::sigmoid(-x));
}

class BceBackward : public torch::autograd::Function<BceBackward> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& grad, const Tensor& input,
                        const OptionalTensor& target, double target_value,
                        const OptionalTensor& weight, const OptionalTensor& pos_weight, bool mean) {
    const at::AutoDispatchBelowADInplaceOrView below;
    save(ctx, grad, input, target, target_value, weight, pos_weight, mean);
    return backward_op().call(grad, input, target, target_value, weight, pos_weight, mean);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    if (!grads[0].defined()) return variable_list(7);
    const variable_list tensors = ctx->get_saved_variables();
    const Saved of = saved(ctx, tensors);
    const Tensor& grad = tensors[4];
    variable_list result(7);
    if (ctx->needs_input_grad(0)) {
      result[0] = backward_op().call(grads[0], of.input, of.target, of.target_value, of.weight,
                                     of.pos_weight, of.mean);
      if (grad.dim() == 0) result[0] = result[0].sum();
    }
    const Tensor factor = factor_of(widened(grads[0]) * widened(grad), of);
    if (ctx->needs_input_grad(1))
      result[1] = (factor * gradient_by_input(of)).to(of.input.scalar_type());
    if (of.target.has_value() && ctx->needs_input_grad(2)) {
      result[2] = (factor * gradient_by_target(of)).to(of.input.scalar_type());
    }
    return result;
  }
};

// `reduced` to one number, or element by element.
template <bool reduced>
class Bce : public torch::autograd::Function<Bce<reduced>> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const OptionalTensor& target,
                        double target_value, const OptionalTensor& weight,
                        const OptionalTensor& pos_weight, bool mean) {
    const at::AutoDispatchBelowADInplaceOrView below;
    save(ctx, Tensor(), input, target, target_value, weight, pos_weight, mean);
    if constexpr (reduced) {
      return reduced_op().call(input, target, target_value, weight, pos_weight, mean);
    } else {
      return elementwise_op().call(input, target, target_value, weight, pos_weight);
    }
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    variable_list result(6);
    if (!grads[0].defined()) return result;
    const Saved of = saved(ctx, ctx->get_saved_variables());
    if (ctx->needs_input_grad(0)) {
      result[0] = backward_op().call(grads[0], of.input, of.target, of.target_value, of.weight,
                                     of.pos_weight, of.mean);
    }
    if (of.target.has_value() && ctx->needs_input_grad(1)) {
      result[1] = (factor_of(widened(grads[0]), of) * by_target(of)).to(of.input.scalar_type());
    }
    return result;
  }
};

bool requires_grad(const OptionalTensor& tensor) {
  return tensor.has_value() && tensor->requires_grad();
}

// As torch's own loss, not differentiable by its weights.
bool needs_gradient(const char* op, bool by_terms, const OptionalTensor& target,
                    const OptionalTensor& weight, const OptionalTensor& pos_weight) {
  if (!at::GradMode::is_enabled()) return false;
  TORCH_CHECK(!requires_grad(weight), "fastgan::", op,
              ": expected weight that does not require grad, got one that does");
  TORCH_CHECK(!requires_grad(pos_weight), "fastgan::", op,
              ": expected pos_weight that does not require grad, got one that does");
  return by_terms || requires_grad(target);
}

Tensor elementwise_autograd(const Tensor& input, const OptionalTensor& target, double target_value,
                            const OptionalTensor& weight, const OptionalTensor& pos_weight) {
  if (needs_gradient("bce_with_logits", input.requires_grad(), target, weight, pos_weight)) {
    return Bce<false>::apply(input, target, target_value, weight, pos_weight, false);
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return elementwise_op().call(input, target, target_value, weight, pos_weight);
}

Tensor reduced_autograd(const Tensor& input, const OptionalTensor& target, double target_value,
                        const OptionalTensor& weight, const OptionalTensor& pos_weight, bool mean) {
  if (needs_gradient("bce_with_logits", input.requires_grad(), target, weight, pos_weight)) {
    return Bce<true>::apply(input, target, target_value, weight, pos_weight, mean);
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return reduced_op().call(input, target, target_value, weight, pos_weight, mean);
}

Tensor backward_autograd(const Tensor& grad, const Tensor& input, const OptionalTensor& target,
                         double target_value, const OptionalTensor& weight,
                         const OptionalTensor& pos_weight, bool mean) {
  if (needs_gradient("bce_with_logits_backward", grad.requires_grad() || input.requires_grad(),
                     target, weight, pos_weight)) {
    return BceBackward::apply(grad, input, target, target_value, weight, pos_weight, mean);
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return backward_op().call(grad, input, target, target_value, weight, pos_weight, mean);
}

// Autocast: in float32, as torch's.
template <c10::DeviceType device>
OptionalTensor to_float(const OptionalTensor& tensor) {
  if (!tensor.has_value()) return tensor;
  return at::autocast::cached_cast(at::kFloat, *tensor, device);
}

template <c10::DispatchKey key, c10::DeviceType device>
Tensor elementwise_autocast(const Tensor& input, const OptionalTensor& target, double target_value,
                            const OptionalTensor& weight, const OptionalTensor& pos_weight) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
  return elementwise_op().call(*to_float<device>(input), to_float<device>(target), target_value,
                               to_float<device>(weight), to_float<device>(pos_weight));
}

template <c10::DispatchKey key, c10::DeviceType device>
Tensor reduced_autocast(const Tensor& input, const OptionalTensor& target, double target_value,
                        const OptionalTensor& weight, const OptionalTensor& pos_weight, bool mean) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
  return reduced_op().call(*to_float<device>(input), to_float<device>(target), target_value,
                           to_float<device>(weight), to_float<device>(pos_weight), mean);
}

template <c10::DispatchKey key, c10::DeviceType device>
void register_autocast(torch::Library& m) {
  m.impl("bce_with_logits", (elementwise_autocast<key, device>));
  m.impl("bce_with_logits_reduced", (reduced_autocast<key, device>));
}

}  // namespace

TORCH_LIBRARY_IMPL(fastgan, Autograd, m) {
  m.impl("bce_with_logits", TORCH_FN(elementwise_autograd));
  m.impl("bce_with_logits_reduced", TORCH_FN(reduced_autograd));
  m.impl("bce_with_logits_backward", TORCH_FN(backward_autograd));
}

TORCH_LIBRARY_IMPL(fastgan, AutocastCPU, m) {
  register_autocast<c10::DispatchKey::AutocastCPU, c10::kCPU>(m);
}
TORCH_LIBRARY_IMPL(fastgan, AutocastCUDA, m) {
  register_autocast<c10::DispatchKey::AutocastCUDA, c10::kCUDA>(m);
}

}  // namespace fastgan
