#include "ops/bias_act_dropout.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/library.h>

#include <tuple>
#include <utility>
#include <vector>

#include "autograd/backward_node.h"
#include "autograd/zero_gradients.h"

namespace fastgan {
namespace {

using Settings = BiasActDropoutSettings;
using BackwardSettings = BiasActDropoutBackwardSettings;

// BackwardSettings, of one's own, and what the bias' gradient needs.
struct Constants {
  std::vector<c10::SymInt> stride;
  double negative_slope;
  double scale;
  bool has_active;
  bool has_positive;
  int64_t channel_dim;
  at::ScalarType bias_type;

  auto fields() {
    return std::tie(stride, negative_slope, scale, has_active, has_positive, channel_dim,
                    bias_type);
  }

  BackwardSettings settings() const {
    return {stride, negative_slope, scale, has_active, has_positive};
  }
};

Constants constants_of(const BackwardSettings& settings, int64_t channel_dim,
                       at::ScalarType bias_type) {
  return {settings.stride.vec(),
          settings.negative_slope,
          settings.scale,
          settings.has_active,
          settings.has_positive,
          channel_dim,
          bias_type};
}

Tensor backward_with_zeros(const Tensor& grad, const Tensor& state, const Constants& constants,
                           const edge_list& zeros);

// Of (grad, input, bias). Linear in the gradient with constant factors, so its derivative by the
// gradient is the same op again. Those by input and bias are zero: these two are no arguments, but
// gradients flow to them.
struct DoubleBackward {
  static constexpr const char* kName = "FastganBiasActDropoutBackward";
  static constexpr int kInputs = 3;
  static constexpr int kSaved = 1;
  using Constants = fastgan::Constants;

  static variable_list backward(const BackwardCall<DoubleBackward>& call) {
    variable_list result(kInputs);
    const Tensor& grad = call.grads[0];
    if (!grad.defined()) return result;
    edge_list zeros(2);
    if (call.edges != nullptr) zeros.assign(call.edges->begin() + 1, call.edges->end());
    if (call.needs[0]) {
      result[0] = backward_with_zeros(grad, call.saved[0], call.constants, zeros);
    }
    if (!(call.needs[1] || call.needs[2])) return result;
    if (call.edges != nullptr && !zero_gradients_are_seen(zeros)) return result;
    if (call.needs[1]) result[1] = at::zeros_like(grad);
    if (call.needs[2]) {
      result[2] = at::zeros_symint({grad.sym_size(call.constants.channel_dim)},
                                   grad.options().dtype(call.constants.bias_type));
    }
    return result;
  }
};

// Differentiable: by `grad`, and with zeros along the edges of `zeros`, of input and bias.
Tensor backward_with_zeros(const Tensor& grad, const Tensor& state, const Constants& constants,
                           const edge_list& zeros) {
  using Op = ops::bias_act_dropout_backward;
  const bool wanted = needs_gradient(Op::kName, grad);
  Tensor grad_input = below_autograd([&] { return Op::call(grad, state, constants.settings()); });
  const bool carries_zeros =
      at::GradMode::is_enabled() && (zeros[0].is_valid() || zeros[1].is_valid());
  if (!wanted && !carries_zeros) return grad_input;
  edge_list edges = torch::autograd::collect_next_edges(grad);
  edges.insert(edges.end(), zeros.begin(), zeros.end());
  torch::autograd::set_history(
      grad_input, new_node_with_edges<DoubleBackward>(constants, {state}, std::move(edges)));
  return grad_input;
}

// Of (input, bias).
struct Backward {
  static constexpr const char* kName = "FastganBiasActDropout";
  static constexpr int kInputs = 2;
  static constexpr int kSaved = 1;
  using Constants = fastgan::Constants;

  static variable_list backward(const BackwardCall<Backward>& call) {
    variable_list result(kInputs);
    if (!call.grads[0].defined()) return result;
    const Tensor grad_input = gradient_of_input(call);
    if (call.needs[1]) result[1] = gradient_of_bias(grad_input, call.constants);
    if (call.needs[0]) result[0] = grad_input;
    return result;
  }

 private:
  static Tensor gradient_of_input(const BackwardCall<Backward>& call) {
    const Tensor& grad = call.grads[0];
    const Tensor& state = call.saved[0];
    // As in PyTorch, the second derivative of leaky ReLU is zero and that of dropout does not
    // exist.
    if (at::GradMode::is_enabled() && call.edges != nullptr && call.constants.has_positive) {
      return backward_with_zeros(grad, state, call.constants, *call.edges);
    }
    return ops::bias_act_dropout_backward::call(grad, state, call.constants.settings());
  }

  // The sum of the input's gradient over all dimensions but the channels', in the bias' dtype.
  static Tensor gradient_of_bias(const Tensor& grad_input, const Constants& constants) {
    const int64_t channel_dim = at::maybe_wrap_dim(constants.channel_dim, grad_input.dim());
    std::vector<int64_t> others;
    for (int64_t dim = 0; dim < grad_input.dim(); ++dim) {
      if (dim != channel_dim) others.push_back(dim);
    }
    // sum() over no dimensions would be the sum over all.
    return others.empty() ? grad_input.to(constants.bias_type)
                          : grad_input.sum(others, false, constants.bias_type);
  }
};

auto new_backward(const Tensor& output, const Tensor& state, const Settings& settings,
                  edge_list inputs) {
  const auto stride = output.sym_strides();
  const at::ScalarType bias_type =
      settings.bias.has_value() ? settings.bias->scalar_type() : output.scalar_type();
  return new_node_with_edges<Backward>(
      constants_of(settings.backward(stride), settings.channel_dim, bias_type), {state},
      std::move(inputs));
}

Settings with_state(const Settings& settings) {
  Settings result = settings;
  result.needs_state = true;
  return result;
}

std::tuple<Tensor, Tensor> forward_autograd(const Tensor& input, const Settings& settings) {
  using Op = ops::bias_act_dropout;
  if (!needs_gradient(Op::kName, input, settings.bias)) {
    return below_autograd([&] { return Op::call(input, settings); });
  }
  auto [output, state] = below_autograd([&] { return Op::call(input, with_state(settings)); });
  edge_list inputs = torch::autograd::collect_next_edges(input, settings.bias);
  torch::autograd::set_history(output, new_backward(output, state, settings, std::move(inputs)));
  return {std::move(output), std::move(state)};
}

Tensor inplace_autograd(Tensor& input, const Settings& settings) {
  using Op = ops::bias_act_dropout_;
  if (!needs_gradient(Op::kName, input, settings.bias)) {
    const at::AutoDispatchBelowAutograd below;
    return Op::call(input, settings);
  }
  TORCH_CHECK(!(input.requires_grad() && input.is_leaf()), "fastgan::", Op::kName,
              ": expected input that is not a leaf variable that requires grad (inplace=True "
              "would overwrite it), got a leaf of shape ",
              input.sizes(), "; use inplace=False");
  torch::autograd::check_inplace(input, /*requires_grad=*/true);
  if (!input.is_non_overlapping_and_dense()) {
    auto [output, state] = forward_autograd(input, settings);
    input.copy_(output);
    return state;
  }
  // Before the write: a view that is asked for its edge after it takes that of its base at once,
  // and rebase_history() would leave it there, past this node.
  edge_list inputs = torch::autograd::collect_next_edges(input, settings.bias);
  Tensor state = [&] {
    const at::AutoDispatchBelowAutograd below;
    return Op::call(input, with_state(settings));
  }();
  torch::autograd::rebase_history(input, new_backward(input, state, settings, std::move(inputs)));
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
  using Op = ops::bias_act_dropout_backward;
  if (!needs_gradient(Op::kName, grad)) {
    return below_autograd([&] { return Op::call(grad, state, settings); });
  }
  const Constants constants = constants_of(settings, /*channel_dim=*/0, grad.scalar_type());
  return backward_with_zeros(grad, state, constants, edge_list(2));
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
