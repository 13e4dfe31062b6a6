#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "autograd/bce_derivatives.h"
#include "autograd/tangents.h"

namespace fastgan {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class Signature>
auto find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

// The ops of the two forms, called in one way.
struct Logits : LogitForm {
  static constexpr const char* kName = "bce_with_logits";
  static constexpr const char* kBackward = "bce_with_logits_backward";

  static Tensor elementwise(const Terms& of) {
    static const auto op =
        find<Tensor(const Tensor&, const OptionalTensor&, double, const OptionalTensor&,
                    const OptionalTensor&)>("fastgan::bce_with_logits");
    return op.call(of.input, of.target, of.target_value, of.weight, of.pos_weight);
  }

  static Tensor reduced(const Terms& of, bool mean) {
    static const auto op =
        find<Tensor(const Tensor&, const OptionalTensor&, double, const OptionalTensor&,
                    const OptionalTensor&, bool)>("fastgan::bce_with_logits_reduced");
    return op.call(of.input, of.target, of.target_value, of.weight, of.pos_weight, mean);
  }

  static Tensor backward(const Tensor& grad, const Terms& of, bool mean) {
    static const auto op = find<Tensor(const Tensor&, const Tensor&, const OptionalTensor&, double,
                                       const OptionalTensor&, const OptionalTensor&, bool)>(
        "fastgan::bce_with_logits_backward");
    return op.call(grad, of.input, of.target, of.target_value, of.weight, of.pos_weight, mean);
  }
};

struct Probabilities : ProbabilityForm {
  static constexpr const char* kName = "bce";
  static constexpr const char* kBackward = "bce_backward";

  static Tensor elementwise(const Terms& of) {
    static const auto op =
        find<Tensor(const Tensor&, const OptionalTensor&, double, const OptionalTensor&)>(
            "fastgan::bce");
    return op.call(of.input, of.target, of.target_value, of.weight);
  }

  static Tensor reduced(const Terms& of, bool mean) {
    static const auto op =
        find<Tensor(const Tensor&, const OptionalTensor&, double, const OptionalTensor&, bool)>(
            "fastgan::bce_reduced");
    return op.call(of.input, of.target, of.target_value, of.weight, mean);
  }

  static Tensor backward(const Tensor& grad, const Terms& of, bool mean) {
    static const auto op = find<Tensor(const Tensor&, const Tensor&, const OptionalTensor&, double,
                                       const OptionalTensor&, bool)>("fastgan::bce_backward");
    return op.call(grad, of.input, of.target, of.target_value, of.weight, mean);
  }
};

void save(AutogradContext* ctx, const Tensor& grad, const Terms& of, bool mean) {
  ctx->save_for_backward({of.input, of.target.value_or(Tensor()), of.weight.value_or(Tensor()),
                          of.pos_weight.value_or(Tensor()), grad});
  ctx->saved_data["target_value"] = of.target_value;
  ctx->saved_data["mean"] = mean;
}

Terms saved_terms(AutogradContext* ctx, const variable_list& saved) {
  const auto optional = [](const Tensor& tensor) {
    return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
  };
  return {saved[0], optional(saved[1]), ctx->saved_data["target_value"].toDouble(),
          optional(saved[2]), optional(saved[3])};
}

// Autograd finds the tensors to differentiate by among the arguments, so Terms come in pieces.
template <class Form>
class BceBackward : public torch::autograd::Function<BceBackward<Form>> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& grad, const Tensor& input,
                        const OptionalTensor& target, const Terms& of, bool mean) {
    const at::AutoDispatchBelowADInplaceOrView below;
    save(ctx, grad, of, mean);
    return Form::backward(grad, of, mean);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    variable_list result(5);
    if (!grads[0].defined()) return result;
    const variable_list saved = ctx->get_saved_variables();
    const Terms of = saved_terms(ctx, saved);
    const Tensor& grad = saved[4];
    const bool mean = ctx->saved_data["mean"].toBool();
    if (ctx->needs_input_grad(0)) {
      result[0] = Form::backward(grads[0], of, mean);
      if (grad.dim() == 0) result[0] = result[0].sum();
    }
    const Derivatives by = derivatives(Form{}, of);
    const Tensor factor = factor_of(grads[0], of, mean) * widened(grad);
    const at::ScalarType type = of.input.scalar_type();
    if (ctx->needs_input_grad(1)) result[1] = (factor * by.gradient_by_input).to(type);
    if (of.target.has_value() && ctx->needs_input_grad(2)) {
      result[2] = (factor * by.gradient_by_target).to(type);
    }
    return result;
  }
};

// `reduced` to one number, or element by element.
template <class Form, bool reduced>
class Bce : public torch::autograd::Function<Bce<Form, reduced>> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const OptionalTensor& target,
                        const Terms& of, bool mean) {
    const at::AutoDispatchBelowADInplaceOrView below;
    save(ctx, Tensor(), of, mean);
    return reduced ? Form::reduced(of, mean) : Form::elementwise(of);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    variable_list result(4);
    if (!grads[0].defined()) return result;
    const Terms of = saved_terms(ctx, ctx->get_saved_variables());
    const bool mean = ctx->saved_data["mean"].toBool();
    if (ctx->needs_input_grad(0)) result[0] = Form::backward(grads[0], of, mean);
    if (of.target.has_value() && ctx->needs_input_grad(1)) {
      const Tensor by_target = derivatives(Form{}, of).by_target;
      result[1] = (factor_of(grads[0], of, mean) * by_target).to(of.input.scalar_type());
    }
    return result;
  }
};

bool requires_grad(const OptionalTensor& tensor) {
  return tensor.has_value() && tensor->requires_grad();
}

// As torch's own loss, not differentiable by its weights.
bool needs_gradient(const char* op, const Terms& of, const Tensor& grad = {}) {
  check_no_tangent(op, of.input, of.target, grad);
  if (!at::GradMode::is_enabled()) return false;
  TORCH_CHECK(!requires_grad(of.weight), "fastgan::", op,
              ": expected weight that does not require grad, got one that does");
  TORCH_CHECK(!requires_grad(of.pos_weight), "fastgan::", op,
              ": expected pos_weight that does not require grad, got one that does");
  return of.input.requires_grad() || requires_grad(of.target) ||
         (grad.defined() && grad.requires_grad());
}

template <class Form, bool reduced>
Tensor forward_autograd(const Terms& of, bool mean) {
  if (needs_gradient(Form::kName, of)) {
    return Bce<Form, reduced>::apply(of.input, of.target, of, mean);
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return reduced ? Form::reduced(of, mean) : Form::elementwise(of);
}

template <class Form>
Tensor backward_autograd(const Tensor& grad, const Terms& of, bool mean) {
  if (needs_gradient(Form::kBackward, of, grad)) {
    return BceBackward<Form>::apply(grad, of.input, of.target, of, mean);
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return Form::backward(grad, of, mean);
}

// Autocast: in float32, as torch's loss with logits. (torch refuses probabilities under autocast.)
template <c10::DeviceType device>
OptionalTensor to_float(const OptionalTensor& tensor) {
  if (!tensor.has_value()) return tensor;
  return at::autocast::cached_cast(at::kFloat, *tensor, device);
}

template <c10::DeviceType device>
Terms to_float(const Terms& of) {
  return {*to_float<device>(OptionalTensor(of.input)), to_float<device>(of.target), of.target_value,
          to_float<device>(of.weight), to_float<device>(of.pos_weight)};
}

template <c10::DispatchKey key, c10::DeviceType device>
void register_autocast(torch::Library& m) {
  m.impl("bce_with_logits", [](const Tensor& input, const OptionalTensor& target, double value,
                               const OptionalTensor& weight, const OptionalTensor& pos_weight) {
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
    return Logits::elementwise(to_float<device>(Terms{input, target, value, weight, pos_weight}));
  });
  m.impl("bce_with_logits_reduced", [](const Tensor& input, const OptionalTensor& target,
                                       double value, const OptionalTensor& weight,
                                       const OptionalTensor& pos_weight, bool mean) {
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
    return Logits::reduced(to_float<device>(Terms{input, target, value, weight, pos_weight}), mean);
  });
  m.impl("bce", [](const Tensor& input, const OptionalTensor& target, double value,
                   const OptionalTensor& weight) {
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
    return Probabilities::elementwise(to_float<device>(Terms{input, target, value, weight, {}}));
  });
  m.impl("bce_reduced", [](const Tensor& input, const OptionalTensor& target, double value,
                           const OptionalTensor& weight, bool mean) {
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(key);
    return Probabilities::reduced(to_float<device>(Terms{input, target, value, weight, {}}), mean);
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(fastgan, Autograd, m) {
  m.impl("bce_with_logits", [](const Tensor& input, const OptionalTensor& target, double value,
                               const OptionalTensor& weight, const OptionalTensor& pos_weight) {
    return forward_autograd<Logits, false>({input, target, value, weight, pos_weight}, false);
  });
  m.impl("bce_with_logits_reduced",
         [](const Tensor& input, const OptionalTensor& target, double value,
            const OptionalTensor& weight, const OptionalTensor& pos_weight, bool mean) {
           return forward_autograd<Logits, true>({input, target, value, weight, pos_weight}, mean);
         });
  m.impl("bce_with_logits_backward",
         [](const Tensor& grad, const Tensor& input, const OptionalTensor& target, double value,
            const OptionalTensor& weight, const OptionalTensor& pos_weight, bool mean) {
           return backward_autograd<Logits>(grad, {input, target, value, weight, pos_weight}, mean);
         });
  m.impl("bce", [](const Tensor& input, const OptionalTensor& target, double value,
                   const OptionalTensor& weight) {
    return forward_autograd<Probabilities, false>({input, target, value, weight, {}}, false);
  });
  m.impl("bce_reduced", [](const Tensor& input, const OptionalTensor& target, double value,
                           const OptionalTensor& weight, bool mean) {
    return forward_autograd<Probabilities, true>({input, target, value, weight, {}}, mean);
  });
  m.impl("bce_backward", [](const Tensor& grad, const Tensor& input, const OptionalTensor& target,
                            double value, const OptionalTensor& weight, bool mean) {
    return backward_autograd<Probabilities>(grad, {input, target, value, weight, {}}, mean);
  });
}

TORCH_LIBRARY_IMPL(fastgan, AutocastCPU, m) {
  register_autocast<c10::DispatchKey::AutocastCPU, c10::kCPU>(m);
}
TORCH_LIBRARY_IMPL(fastgan, AutocastCUDA, m) {
  register_autocast<c10::DispatchKey::AutocastCUDA, c10::kCUDA>(m);
}

}  // namespace fastgan
