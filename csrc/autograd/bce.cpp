#include "ops/bce.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include <tuple>

#include "autograd/backward_node.h"
#include "autograd/bce_derivatives.h"

namespace fastgan {
namespace {

struct Constants {
  double target_value;
  bool mean;

  auto fields() { return std::tie(target_value, mean); }
};

// The settings of a call whose tensors a node saved, as tensors that may be undefined.
template <BceForm form>
struct SavedSettings {
  OptionalTensor target, weight, pos_weight;
  double target_value;

  SavedSettings(const Tensor& target, const Tensor& weight, const Tensor& pos_weight,
                double target_value)
      : target(optional(target)),
        weight(optional(weight)),
        pos_weight(optional(pos_weight)),
        target_value(target_value) {}

  BceSettings<form> all() const { return {target, target_value, weight, pos_weight}; }

  // Of what a weight multiplies, in the dtype of the arithmetic, which a weight's gradient has.
  SavedSettings without_weight() const {
    return {target.has_value() ? widened(*target) : Tensor(), Tensor(),
            pos_weight.value_or(Tensor()), target_value};
  }

  static OptionalTensor optional(const Tensor& tensor) {
    return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
  }
};

// Of (grad, input, target, weight, pos_weight).
template <BceForm form>
struct DoubleBackward {
  static constexpr const char* kName = "FastganBinaryCrossEntropyBackward";
  static constexpr int kInputs = 5;
  static constexpr int kSaved = 5;
  static constexpr int kOutputs = 1;
  using Constants = fastgan::Constants;

  static variable_list backward(const BackwardCall<DoubleBackward>& call) {
    using Op = typename BceOps<form>::Backward;
    variable_list result(kInputs);
    const Tensor& along = call.grads[0];
    if (!along.defined()) return result;
    const auto& [grad, input, target, weight, pos_weight] = call.saved;
    const auto& [target_value, mean] = call.constants;
    const SavedSettings<form> settings(target, weight, pos_weight, target_value);
    const at::ScalarType type = input.scalar_type();
    if (call.needs[0]) {
      result[0] = Op::call(along, input, settings.all(), mean);
      if (grad.dim() == 0) result[0] = result[0].sum();
    }
    if (!(call.needs[1] || call.needs[2] || call.needs[3] || call.needs[4])) return result;
    const Derivatives<form> of_loss(input, settings.all());
    const Tensor factor = factor_of(along, input, settings.weight, mean) * widened(grad);
    if (call.needs[1]) result[1] = (factor * of_loss.gradient_by_input()).to(type);
    if (call.needs[2]) result[2] = (factor * of_loss.gradient_by_target()).to(type);
    if (call.needs[3]) {
      result[3] = Op::call(widened(along) * widened(grad), widened(input),
                           settings.without_weight().all(), mean);
    }
    if constexpr (form == BceForm::kLogits) {
      if (call.needs[4]) result[4] = factor * of_loss.gradient_by_pos_weight();
    }
    return result;
  }
};

// Of (input, target, weight, pos_weight).
template <BceForm form>
struct Backward {
  static constexpr const char* kName = "FastganBinaryCrossEntropy";
  static constexpr int kInputs = 4;
  static constexpr int kSaved = 4;
  static constexpr int kOutputs = 1;
  using Constants = fastgan::Constants;

  static variable_list backward(const BackwardCall<Backward>& call) {
    variable_list result(kInputs);
    const Tensor& grad = call.grads[0];
    if (!grad.defined()) return result;
    const auto& [input, target, weight, pos_weight] = call.saved;
    const auto& [target_value, mean] = call.constants;
    const SavedSettings<form> settings(target, weight, pos_weight, target_value);
    if (call.needs[0]) {
      result[0] = BceOps<form>::Backward::call(grad, input, settings.all(), mean);
    }
    if (!(call.needs[1] || call.needs[2] || call.needs[3])) return result;
    const Derivatives<form> of_loss(input, settings.all());
    const Tensor factor = factor_of(grad, input, settings.weight, mean);
    if (call.needs[1]) result[1] = (factor * of_loss.by_target()).to(input.scalar_type());
    if (call.needs[2]) {
      result[2] = factor_of(grad, input, std::nullopt, mean) *
                  BceOps<form>::Elementwise::call(widened(input), settings.without_weight().all());
    }
    if constexpr (form == BceForm::kLogits) {
      if (call.needs[3]) result[3] = factor * of_loss.by_pos_weight();
    }
    return result;
  }
};

template <BceForm form, bool reduced>
Tensor forward_autograd(const Tensor& input, const BceSettings<form>& settings, bool mean) {
  const auto& [target, target_value, weight, pos_weight] = settings;
  const auto run = [&] {
    if constexpr (reduced) {
      return BceOps<form>::Reduced::call(input, settings, mean);
    } else {
      return BceOps<form>::Elementwise::call(input, settings);
    }
  };
  return differentiable<Backward<form>>(BceOps<form>::Elementwise::kName, {target_value, mean}, run,
                                        input, target, weight, pos_weight);
}

template <BceForm form>
Tensor elementwise_autograd(const Tensor& input, const BceSettings<form>& settings) {
  return forward_autograd<form, /*reduced=*/false>(input, settings, /*mean=*/false);
}

template <BceForm form>
Tensor backward_autograd(const Tensor& grad, const Tensor& input, const BceSettings<form>& settings,
                         bool mean) {
  using Op = typename BceOps<form>::Backward;
  const auto& [target, target_value, weight, pos_weight] = settings;
  return differentiable<DoubleBackward<form>>(
      Op::kName, {target_value, mean}, [&] { return Op::call(grad, input, settings, mean); }, grad,
      input, target, weight, pos_weight);
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

// The settings' tensors in float32.
template <c10::DeviceType device, BceForm form>
struct FloatSettings {
  OptionalTensor target, weight, pos_weight;
  BceSettings<form> settings;

  explicit FloatSettings(const BceSettings<form>& given)
      : target(to_float<device>(given.target)),
        weight(to_float<device>(given.weight)),
        pos_weight(to_float<device>(given.pos_weight)),
        settings{target, given.target_value, weight, pos_weight} {}
};

template <c10::DeviceType device, BceForm form>
Tensor elementwise_autocast(const Tensor& input, const BceSettings<form>& settings) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      at::autocast::get_autocast_dispatch_key_from_device_type(device));
  return BceOps<form>::Elementwise::call(at::autocast::cached_cast(at::kFloat, input, device),
                                         FloatSettings<device, form>(settings).settings);
}

template <c10::DeviceType device, BceForm form>
Tensor reduced_autocast(const Tensor& input, const BceSettings<form>& settings, bool mean) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      at::autocast::get_autocast_dispatch_key_from_device_type(device));
  return BceOps<form>::Reduced::call(at::autocast::cached_cast(at::kFloat, input, device),
                                     FloatSettings<device, form>(settings).settings, mean);
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
