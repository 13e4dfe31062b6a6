#include "ops/bias_act_dropout.h"

#include <ATen/Dispatch.h>
#include <ATen/MemoryOverlap.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "kernels/bias_act_dropout.h"
#include "ops/allocate.h"
#include "ops/checks.h"
#include "ops/layout.h"
#include "ops/random.h"
#include "ops/register.h"
#include "ops/run_kernel.h"

namespace fastgan {
namespace {

using Settings = BiasActDropoutSettings;
using BackwardSettings = BiasActDropoutBackwardSettings;

void check(const char* op, const Tensor& input, const Settings& settings) {
  check_floating(op, "input", input);
  TORCH_CHECK_VALUE(settings.p >= 0.0 && settings.p <= 1.0, "fastgan::", op,
                    ": expected p in [0, 1], got ", settings.p);
  TORCH_CHECK_VALUE(!settings.clamp.has_value() || *settings.clamp >= 0.0, "fastgan::", op,
                    ": expected clamp >= 0, got ", *settings.clamp);
  TORCH_CHECK_VALUE(!settings.feature || input.dim() >= 2, "fastgan::", op,
                    ": expected input of shape [N, C, ...] for feature dropout, got ",
                    input.sym_sizes());
  if (!settings.bias.has_value()) return;
  const Tensor& bias = *settings.bias;
  check_floating(op, "bias", bias);
  check_same_device(op, "bias", bias, input);
  const int64_t dim =
      settings.channel_dim < 0 ? settings.channel_dim + input.dim() : settings.channel_dim;
  TORCH_CHECK_INDEX(dim >= 0 && dim < input.dim(), "fastgan::", op, ": expected channel_dim in [",
                    -input.dim(), ", ", input.dim() - 1, "] for input of shape ", input.sym_sizes(),
                    ", got ", settings.channel_dim);
  TORCH_CHECK_VALUE(bias.dim() == 1 && bias.sym_size(0) == input.sym_size(dim), "fastgan::", op,
                    ": expected bias of shape [", input.sym_size(dim), "] along dimension ",
                    settings.channel_dim, " of input, got ", bias.sym_sizes());
}

// How a dense tensor's elements, in memory order, find their entry in a table by channel, or by
// sample and channel. The stride of a dimension of size 1 means nothing, and may be 0: the whole
// tensor is one run of it.
int64_t stride_of(const Tensor& dense, int64_t dim) {
  return std::max<int64_t>(dense.size(dim) == 1 ? dense.numel() : dense.stride(dim), 1);
}

Channels channels_of(const Tensor& dense, int64_t channel_dim) {
  return {stride_of(dense, channel_dim), dense.size(channel_dim),
          std::max<int64_t>(dense.numel(), 1), 1};
}

Channels maps_of(const Tensor& dense) {
  return {stride_of(dense, 1), dense.size(1), stride_of(dense, 0), dense.size(0)};
}

template <class S>
ActivationFactors<S> factors_of(double slope, double scale) {
  return {S(0),
          static_cast<S>(scale),
          static_cast<S>(scale * slope),
          S(0),
          S(1),
          static_cast<S>(scale * slope) == S(0),
          false};
}

template <class S>
ActivationFactors<S> factors_of(const Settings& settings) {
  const double dropout = dropout_scale(settings.threshold());
  if (!settings.clamp.has_value())
    return factors_of<S>(settings.negative_slope, settings.gain * dropout);
  ActivationFactors<S> factors = factors_of<S>(settings.negative_slope, settings.gain);
  factors.clamp = static_cast<S>(*settings.clamp);
  factors.scale = static_cast<S>(dropout);
  factors.has_clamp = true;
  return factors;
}

// The state: the planes that carry anything, [planes, octets] bytes, or empty where no gradient is
// wanted.
Tensor new_state(const Tensor& dense, const Settings& settings) {
  const Planes carried = settings.planes();
  const int64_t planes = settings.needs_state ? carried.active + carried.positive : 0;
  return new_bytes(planes, planes == 0 ? c10::SymInt(0) : octets_of(dense.sym_numel()), dense);
}

// Input and output are dense, with the same strides. They may be one tensor.
void run_forward(const char* op, const Tensor& input, const Tensor& output, const Tensor& state,
                 const Settings& settings) {
  if (input.is_meta()) return;
  const RandomSource source =
      random_source(op, input.device(), settings.seed, settings.offset, settings.generator);
  if (input.numel() == 0) return;
  const uint32_t threshold = settings.threshold();
  const bool draws = threshold > 0 && threshold < kThresholdOne;
  const RandomState random = draws ? random_state(input.device(), source) : RandomState{};
  Tensor map_keep;
  if (settings.feature && threshold > 0) {
    map_keep = at::empty({input.size(0) * input.size(1)}, input.options().dtype(at::kByte));
    const DrawMaps maps{map_keep.mutable_data_ptr<uint8_t>(), map_keep.numel(), threshold, random};
    run_octets(input.device(), maps, maps.maps);
  }
  AT_DISPATCH_FLOATING_TYPES_AND2(
      at::kHalf, at::kBFloat16, input.scalar_type(), "bias_act_dropout", [&] {
        using S = Arithmetic<scalar_t>;
        BiasActDropoutForward<scalar_t> params{};
        params.x = input.const_data_ptr<scalar_t>();
        params.y = output.mutable_data_ptr<scalar_t>();
        uint8_t* plane = state.numel() > 0 ? state.mutable_data_ptr<uint8_t>() : nullptr;
        if (plane != nullptr && settings.planes().active) {
          params.active = plane;
          plane += octets_of(input.numel());
        }
        if (plane != nullptr && settings.planes().positive) params.positive = plane;
        Tensor bias;
        if (settings.bias.has_value()) {
          bias = settings.bias->is_neg() ? settings.bias->resolve_neg() : *settings.bias;
          bias = bias.to(c10::CppTypeToScalarType<S>::value).contiguous();
          params.bias = bias.const_data_ptr<S>();
          params.bias_channels =
              channels_of(input, at::maybe_wrap_dim(settings.channel_dim, input.dim()));
        }
        if (map_keep.defined()) {
          params.map_keep = map_keep.const_data_ptr<uint8_t>();
          params.maps = maps_of(input);
        }
        params.elements = input.numel();
        params.threshold = threshold;
        params.random = random;
        params.factors = factors_of<S>(settings);
        run_octets(input.device(), params, params.elements);
      });
}

std::tuple<Tensor, Tensor> forward(const Tensor& input, const Settings& settings) {
  const char* op = ops::bias_act_dropout::kName;
  check(op, input, settings);
  const Tensor source = dense(input);
  Tensor output = new_like(source);
  Tensor state = new_state(source, settings);
  run_forward(op, source, output, state, settings);
  return {std::move(output), std::move(state)};
}

Tensor forward_inplace(Tensor& input, const Settings& settings) {
  const char* op = ops::bias_act_dropout_::kName;
  check(op, input, settings);
  TORCH_CHECK(at::has_internal_overlap(input) != at::MemOverlap::Yes, "fastgan::", op,
              ": expected input whose elements do not overlap in memory, got an expanded tensor of "
              "shape ",
              input.sym_sizes(), " and strides ", input.sym_strides(), "; clone() it first");
  TORCH_CHECK(
      !input.is_neg(), "fastgan::", op,
      ": expected input whose memory holds its values, got a view with the negative bit set, "
      "which torch negates when it reads it; resolve_neg() it first");
  TORCH_CHECK(!settings.bias.has_value() || input.is_meta() ||
                  at::get_overlap_status(input, *settings.bias) != at::MemOverlapStatus::Partial,
              "fastgan::", op,
              ": expected bias in memory of its own, got a part of input, which is overwritten; "
              "clone() it first");
  const Tensor target = dense(input);
  Tensor state = new_state(target, settings);
  run_forward(op, target, target, state, settings);
  if (!target.is_same(input)) input.copy_(target);
  return state;
}

// Checks the backward's arguments and allocates its result. Sizes are symbolic, for Meta tensors.
Tensor new_grad_input(const char* op, const Tensor& grad, const Tensor& state,
                      const BackwardSettings& settings) {
  check_floating(op, "grad", grad);
  check_same_device(op, "state", state, grad);
  const int64_t planes = settings.has_active + settings.has_positive;
  const c10::SymInt octets = planes == 0 ? c10::SymInt(0) : octets_of(grad.sym_numel());
  TORCH_CHECK(state.scalar_type() == at::kByte && state.dim() == 2 && state.sym_size(0) == planes &&
                  state.sym_size(1) == octets && state.is_contiguous(),
              "fastgan::", op, ": expected state of dtype uint8, contiguous and of shape [", planes,
              ", ", octets, "], got ", state.scalar_type(), " of shape ", state.sym_sizes(),
              " and strides ", state.sym_strides());
  const c10::SymIntArrayRef stride = settings.stride;
  TORCH_CHECK_VALUE(static_cast<int64_t>(stride.size()) == grad.dim(), "fastgan::", op,
                    ": expected stride of length ", grad.dim(), ", got ", stride);
  // Checked before the allocation: strides of one element too many may ask for terabytes. Without
  // elements any strides are dense, and nothing is allocated.
  const std::optional<int64_t> elements = grad.sym_numel().maybe_as_int();
  for (int64_t dim = 0; dim < grad.dim(); ++dim) {
    TORCH_CHECK_VALUE(stride[dim] >= 0, "fastgan::", op,
                      ": expected stride of no negative numbers, got ", stride);
    const std::optional<int64_t> step = stride[dim].maybe_as_int();
    TORCH_CHECK_VALUE(
        !step || !elements || *elements == 0 || *step <= *elements || grad.sym_size(dim) <= 1,
        "fastgan::", op, ": expected stride of a dense tensor of shape ", grad.sym_sizes(),
        ", got ", stride);
  }
  Tensor grad_input = new_strided(grad, stride);
  TORCH_CHECK_VALUE(grad_input.is_non_overlapping_and_dense(), "fastgan::", op,
                    ": expected stride of a dense tensor of shape ", grad.sym_sizes(), ", got ",
                    stride);
  return grad_input;
}

Tensor backward(const Tensor& grad, const Tensor& state, const BackwardSettings& settings) {
  constexpr const char* op = ops::bias_act_dropout_backward::kName;
  Tensor grad_input = new_grad_input(op, grad, state, settings);
  if (grad.is_meta() || grad.numel() == 0) return grad_input;
  const Tensor source = in_order_of(grad_input, grad);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, grad.scalar_type(), op, [&] {
    BiasActDropoutBackward<scalar_t> params{};
    params.grad = source.const_data_ptr<scalar_t>();
    params.grad_input = grad_input.mutable_data_ptr<scalar_t>();
    const uint8_t* plane = state.const_data_ptr<uint8_t>();
    if (settings.has_active) {
      params.active = plane;
      plane += octets_of(grad.numel());
    }
    if (settings.has_positive) params.positive = plane;
    params.elements = grad.numel();
    params.factors = factors_of<Arithmetic<scalar_t>>(settings.negative_slope, settings.scale);
    run_octets(grad.device(), params, params.elements);
  });
  return grad_input;
}

void register_row(torch::Library& m) {
  ops::bias_act_dropout::implement<forward>(m);
  ops::bias_act_dropout_::implement<forward_inplace>(m);
  ops::bias_act_dropout_backward::implement<backward>(m);
}

}  // namespace

FASTGAN_REGISTER(register_row)

// torch's fallback for tensors whose negative bit is set takes the result of an in-place op for its
// input, but this op returns the state. It is skipped, and the op raises the error itself.
TORCH_LIBRARY_IMPL(fastgan, Negative, m) {
  m.impl(ops::bias_act_dropout_::kName, torch::CppFunction::makeFallthrough());
}

}  // namespace fastgan
