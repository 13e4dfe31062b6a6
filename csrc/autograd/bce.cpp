#include "ops/bce.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "autograd/bce_derivatives.h"
#include "autograd/tangents.h"

namespace fastgan {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <BceForm form>
void save(AutogradContext* ctx, const Tensor& grad, const Tensor& input,
          const BceSettings<form>& settings, bool mean) {
  ctx->save_for_backward({input, settings.target.value_or(Tensor()),
                          settings.weight.value_or(Tensor()),
                          settings.pos_weight.value_or(Tensor()), grad});
  ctx->saved_data["target_value"] = settings.target_value;
  ctx->saved_data["mean"] = mean;
}

// What save() saved.
template <BceForm form>
struct Saved {
  Tensor input;
  Tensor grad;  // undefined: that of a forward
  BceSettings<form> settings;
  bool mean;

  explicit Saved(AutogradContext* ctx) {
    const variable_list tensors = ctx->get_saved_variables();
    const auto optional = [](const Tensor& tensor) {
      return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
    };
    input = tensors[0];
    grad = tensors[4];
    settings = {optional(tensors[1]), ctx->saved_data["target_value"].toDouble(),
                optional(tensors[2]), optional(tensors[3])};
    mean = ctx->saved_data["mean"].toBool();
  }
};

// apply() finds the tensors to differentiate by among its arguments, so the target is an argument
// of its own too.
template <BceForm form>
class BceBackwardFunction : public torch::autograd::Function<BceBackwardFunction<form>> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& grad, const Tensor& input,
                        const OptionalTensor&, const BceSettings<form>& settings, bool mean) {
    const at::AutoDispatchBelowADInplaceOrView below;
    save(ctx, grad, input, settings, mean);
    return BceOps<form>::Backward::call(grad, input, settings, mean);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    variable_list result(5);
    if (!grads[0].defined()) return result;
    const Saved<form> saved(ctx);
    const Tensor& input = saved.input;
    if (ctx->needs_input_grad(0)) {
      result[0] = BceOps<form>::Backward::call(grads[0], input, saved.settings, saved.mean);
      if (saved.grad.dim() == 0) result[0] = result[0].sum();
    }
    const Derivatives of_loss = derivatives(input, saved.settings);
    const Tensor factor =
        factor_of(grads[0], input, saved.settings.weight, saved.mean) * widened(saved.grad);
    const at::ScalarType type = input.scalar_type();
    if (ctx->needs_input_grad(1)) result[1] = (factor * of_loss.gradient_by_input).to(type);
    if (saved.settings.target.has_value() && ctx->needs_input_grad(2)) {
      result[2] = (factor * of_loss.gradient_by_target).to(type);
    }
    return result;
  }
};

template <BceForm form, bool reduced>
class BceFunction : public torch::autograd::Function<BceFunction<form, reduced>> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const OptionalTensor&,
                        const BceSettings<form>& settings, bool mean) {
    const at::AutoDispatchBelowADInplaceOrView below;
    save(ctx, Tensor(), input, settings, mean);
    return loss(input, settings, mean);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    variable_list result(4);
    if (!grads[0].defined()) return result;
    const Saved<form> saved(ctx);
    const Tensor& input = saved.input;
    if (ctx->needs_input_grad(0)) {
      result[0] = BceOps<form>::Backward::call(grads[0], input, saved.settings, saved.mean);
    }
    if (saved.settings.target.has_value() && ctx->needs_input_grad(1)) {
      const Tensor factor = factor_of(grads[0], input, saved.settings.weight, saved.mean);
      result[1] = (factor * derivatives(input, saved.settings).by_target).to(input.scalar_type());
    }
    return result;
  }

  static Tensor loss(const Tensor& input, const BceSettings<form>& settings, bool mean) {
    if constexpr (reduced) {
      return BceOps<form>::Reduced::call(input, settings, mean);
    } else {
      return BceOps<form>::Elementwise::call(input, settings);
    }
  }
};

bool requires_grad(const OptionalTensor& tensor) {
  return tensor.has_value() && tensor->requires_grad();
}

// As in PyTorch, the loss is not differentiable with respect to its weights.
template <BceForm form>
bool needs_gradient(const char* op, const Tensor& input, const BceSettings<form>& settings,
                    const Tensor& grad = {}) {
  check_no_tangent(op, input, settings.target, settings.weight, settings.pos_weight, grad);
  if (!at::GradMode::is_enabled()) return false;
  TORCH_CHECK(!requires_grad(settings.weight), "fastgan::", op,
              ": expected weight that does not require grad, got one that does");
  TORCH_CHECK(!requires_grad(settings.pos_weight), "fastgan::", op,
              ": expected pos_weight that does not require grad, got one that does");
  return input.requires_grad() || requires_grad(settings.target) ||
         (grad.defined() && grad.requires_grad());
}

template <BceForm form, bool reduced>
Tensor forward_autograd(const Tensor& input, const BceSettings<form>& settings, bool mean) {
  if (needs_gradient(BceOps<form>::Elementwise::kName, input, settings)) {
    return BceFunction<form, reduced>::apply(input, settings.target, settings, mean);
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return BceFunction<form, reduced>::loss(input, settings, mean);
}

template <BceForm form>
Tensor elementwise_autograd(const Tensor& input, const BceSettings<form>& settings) {
  return forward_autograd<form, /*reduced=*/false>(input, settings, /*mean=*/false);
}

template <BceForm form>
Tensor backward_autograd(const Tensor& grad, const Tensor& input, const BceSettings<form>& settings,
                         bool mean) {
  if (needs_gradient(BceOps<form>::Backward::kName, input, settings, grad)) {
    return BceBackwardFunction<form>::apply(grad, input, settings.target, settings, mean);
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return BceOps<form>::Backward::call(grad, input, settings, mean);
}

template <BceForm form>
void register_autograd(torch::Library& m) {
  BceOps<form>::Elementwise::template implement<elementwise_autograd<form>>(m);
  BceOps<form>::Reduced::template implement<forward_autograd<form, /*reduced=*/true>>(m);
  BceOps<form>::Backward::template implement<backward_autograd<form>>(m);
}

// Autocast: in float32, as torch's loss of logits. (torch refuses probabilities under autocast.)
template <c10::DeviceType device>
OptionalTensor to_float(const OptionalTensor& tensor) {
  if (!tensor.has_value()) return tensor;
  return at::autocast::cached_cast(at::kFloat, *tensor, device);
}

template <c10::DeviceType device, BceForm form>
BceSettings<form> to_float(const BceSettings<form>& settings) {
  return {to_float<device>(settings.target), settings.target_value,
          to_float<device>(settings.weight), to_float<device>(settings.pos_weight)};
}

template <c10::DeviceType device, BceForm form>
Tensor elementwise_autocast(const Tensor& input, const BceSettings<form>& settings) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      at::autocast::get_autocast_dispatch_key_from_device_type(device));
  return BceOps<form>::Elementwise::call(at::autocast::cached_cast(at::kFloat, input, device),
                                         to_float<device>(settings));
}

template <c10::DeviceType device, BceForm form>
Tensor reduced_autocast(const Tensor& input, const BceSettings<form>& settings, bool mean) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      at::autocast::get_autocast_dispatch_key_from_device_type(device));
  return BceOps<form>::Reduced::call(at::autocast::cached_cast(at::kFloat, input, device),
                                     to_float<device>(settings), mean);
}

template <c10::DeviceType device, BceForm form>
void register_autocast(torch::Library& m) {
  BceOps<form>::Elementwise::template implement<elementwise_autocast<device, form>>(m);
  BceOps<form>::Reduced::template implement<reduced_autocast<device, form>>(m);
}

}  // namespace

TORCH_LIBRARY_IMPL(fastgan, Autograd, m) {
  register_autograd<BceForm::kLogits>(m);
  register_autograd<BceForm::kProbabilities>(m);
}

TORCH_LIBRARY_IMPL(fastgan, AutocastCPU, m) {
  register_autocast<c10::kCPU, BceForm::kLogits>(m);
  register_autocast<c10::kCPU, BceForm::kProbabilities>(m);
}

TORCH_LIBRARY_IMPL(fastgan, AutocastCUDA, m) {
  register_autocast<c10::kCUDA, BceForm::kLogits>(m);
  register_autocast<c10::kCUDA, BceForm::kProbabilities>(m);
}

}  // namespace fastgan
