#include "kernels/bias_act_dropout.h"

#include <ATen/Dispatch.h>
#include <ATen/MemoryOverlap.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/empty_strided.h>

#include "ops/checks.h"
#include "ops/launch.h"
#include "ops/layout.h"
#include "ops/random.h"
#include "ops/register.h"

namespace fastgan {
namespace {

using at::Tensor;

constexpr const char* kForward = "bias_act_dropout";
constexpr const char* kInplace = "bias_act_dropout_";
constexpr const char* kBackward = "bias_act_dropout_backward";

// The stages that one call asks for, as its arguments say them.
struct Stages {
  const char* op;
  const std::optional<Tensor>& bias;
  int64_t channel_dim;
  double negative_slope;
  double gain;
  std::optional<double> clamp;
  double p;
  bool feature;
  // Symbolic where torch.compile traces, so that a new seed does not compile anew.
  const std::optional<c10::SymInt>& seed;
  const c10::SymInt& offset;
  const std::optional<at::Generator>& generator;
  bool needs_state;

  uint32_t threshold() const { return dropout_threshold(p); }
  Planes planes() const { return planes_of(negative_slope, clamp.has_value(), threshold()); }
};

void check(const Tensor& input, const Stages& stages) {
  const char* op = stages.op;
  check_floating(op, "input", input);
  TORCH_CHECK_VALUE(stages.p >= 0.0 && stages.p <= 1.0, "fastgan::", op,
                    ": expected p in [0, 1], got ", stages.p);
  TORCH_CHECK_VALUE(!stages.clamp.has_value() || *stages.clamp >= 0.0, "fastgan::", op,
                    ": expected clamp >= 0, got ", *stages.clamp);
  TORCH_CHECK_VALUE(!stages.feature || input.dim() >= 2, "fastgan::", op,
                    ": expected input of shape [N, C, ...] for feature dropout, got ",
                    input.sym_sizes());
  if (!stages.bias.has_value()) return;
  const Tensor& bias = *stages.bias;
  check_floating(op, "bias", bias);
  check_same_device(op, "bias", bias, input);
  const int64_t dim =
      stages.channel_dim < 0 ? stages.channel_dim + input.dim() : stages.channel_dim;
  TORCH_CHECK_INDEX(dim >= 0 && dim < input.dim(), "fastgan::", op, ": expected channel_dim in [",
                    -input.dim(), ", ", input.dim() - 1, "] for input of shape ", input.sym_sizes(),
                    ", got ", stages.channel_dim);
  TORCH_CHECK_VALUE(bias.dim() == 1 && bias.sym_size(0) == input.sym_size(dim), "fastgan::", op,
                    ": expected bias of shape [", input.sym_size(dim), "] along dimension ",
                    stages.channel_dim, " of input, got ", bias.sym_sizes());
}

// Entries of a table by channel, or by sample and channel, in the memory order of a dense tensor.
// Where a size is 1 its stride means nothing; 1 entry is found with any positive stride.
Channels channels_of(const Tensor& dense, int64_t channel_dim) {
  return {std::max<int64_t>(dense.stride(channel_dim), 1), dense.size(channel_dim),
          std::max<int64_t>(dense.numel(), 1), 1};
}

Channels maps_of(const Tensor& dense) {
  return {std::max<int64_t>(dense.stride(1), 1), dense.size(1),
          std::max<int64_t>(dense.stride(0), 1), dense.size(0)};
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
ActivationFactors<S> factors_of(const Stages& stages) {
  const double dropout = dropout_scale(stages.threshold());
  if (!stages.clamp.has_value()) return factors_of<S>(stages.negative_slope, stages.gain * dropout);
  ActivationFactors<S> factors = factors_of<S>(stages.negative_slope, stages.gain);
  factors.clamp = static_cast<S>(*stages.clamp);
  factors.scale = static_cast<S>(dropout);
  factors.has_clamp = true;
  return factors;
}

// The planes that carry anything, [planes, octets] bytes; empty where no gradient is wanted.
Tensor new_state(const Tensor& dense, const Stages& stages) {
  const Planes carried = stages.planes();
  const int64_t planes = stages.needs_state ? carried.active + carried.positive : 0;
  return at::empty_symint({planes, planes == 0 ? 0 : octets_of(dense.sym_numel())},
                          dense.options().dtype(at::kByte));
}

// Both tensors dense, with the same strides. They may be one.
void run_forward(const Tensor& input, const Tensor& output, const Tensor& state,
                 const Stages& stages) {
  if (input.is_meta()) return;
  const RandomSource source =
      random_source(stages.op, input.device(), stages.seed, stages.offset, stages.generator);
  if (input.numel() == 0) return;
  const uint32_t threshold = stages.threshold();
  const bool draws = threshold > 0 && threshold < kThresholdOne;
  const RandomState random = draws ? random_state(input.device(), source) : RandomState{};
  Tensor map_keep;
  if (stages.feature && threshold > 0) {
    map_keep = at::empty({input.size(0) * input.size(1)}, input.options().dtype(at::kByte));
    const DrawMaps maps{map_keep.mutable_data_ptr<uint8_t>(), map_keep.numel(), threshold, random};
    run_octets(input.device(), maps, maps.maps);
  }
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, input.scalar_type(), kForward, [&] {
    using S = Arithmetic<scalar_t>;
    BiasActDropoutForward<scalar_t> params{};
    params.x = input.const_data_ptr<scalar_t>();
    params.y = output.mutable_data_ptr<scalar_t>();
    uint8_t* plane = state.numel() > 0 ? state.mutable_data_ptr<uint8_t>() : nullptr;
    if (plane != nullptr && stages.planes().active) {
      params.active = plane;
      plane += octets_of(input.numel());
    }
    if (plane != nullptr && stages.planes().positive) params.positive = plane;
    Tensor bias;
    if (stages.bias.has_value()) {
      bias = stages.bias->is_neg() ? stages.bias->resolve_neg() : *stages.bias;
      bias = bias.to(c10::CppTypeToScalarType<S>::value).contiguous();
      params.bias = bias.const_data_ptr<S>();
      params.bias_channels =
          channels_of(input, at::maybe_wrap_dim(stages.channel_dim, input.dim()));
    }
    if (map_keep.defined()) {
      params.map_keep = map_keep.const_data_ptr<uint8_t>();
      params.maps = maps_of(input);
    }
    params.elements = input.numel();
    params.threshold = threshold;
    params.random = random;
    params.factors = factors_of<S>(stages);
    run_octets(input.device(), params, params.elements);
  });
}

std::tuple<Tensor, Tensor> bias_act_dropout(const Tensor& input, const std::optional<Tensor>& bias,
                                            int64_t channel_dim, double negative_slope, double gain,
                                            std::optional<double> clamp, double p, bool feature,
                                            std::optional<c10::SymInt> seed, c10::SymInt offset,
                                            const std::optional<at::Generator>& generator,
                                            bool needs_state) {
  const Stages stages{kForward, bias,    channel_dim, negative_slope, gain,      clamp,
                      p,        feature, seed,        offset,         generator, needs_state};
  check(input, stages);
  const Tensor source = dense(input);
  Tensor output = at::empty_like(source);
  Tensor state = new_state(source, stages);
  run_forward(source, output, state, stages);
  return {std::move(output), std::move(state)};
}

Tensor bias_act_dropout_(Tensor& input, const std::optional<Tensor>& bias, int64_t channel_dim,
                         double negative_slope, double gain, std::optional<double> clamp, double p,
                         bool feature, std::optional<c10::SymInt> seed, c10::SymInt offset,
                         const std::optional<at::Generator>& generator, bool needs_state) {
  const Stages stages{kInplace, bias,    channel_dim, negative_slope, gain,      clamp,
                      p,        feature, seed,        offset,         generator, needs_state};
  check(input, stages);
  TORCH_CHECK(at::has_internal_overlap(input) != at::MemOverlap::Yes,
              "fastgan::bias_act_dropout_: expected input whose "
              "elements lie at places of their own, got an expanded tensor of shape ",
              input.sym_sizes(), " and strides ", input.sym_strides(), "; clone() it first");
  TORCH_CHECK(!input.is_neg(),
              "fastgan::bias_act_dropout_: expected input whose memory holds its "
              "values, got a view that torch negates when it is read; resolve_neg() it first");
  TORCH_CHECK(!bias.has_value() || input.is_meta() ||
                  at::get_overlap_status(input, *bias) != at::MemOverlapStatus::Partial,
              "fastgan::bias_act_dropout_: expected bias in memory of its own, got a part of "
              "input, which is overwritten; clone() it first");
  const Tensor target = dense(input);
  Tensor state = new_state(target, stages);
  run_forward(target, target, state, stages);
  if (!target.is_same(input)) input.copy_(target);
  return state;
}

// Checks the backward's arguments and allocates its result. Symbolic sizes, as the Meta kernel
// needs them.
Tensor new_grad_input(const Tensor& grad, const Tensor& state, at::SymIntArrayRef stride,
                      bool has_active, bool has_positive) {
  check_floating(kBackward, "grad", grad);
  check_same_device(kBackward, "state", state, grad);
  const int64_t planes = has_active + has_positive;
  const c10::SymInt octets = planes == 0 ? c10::SymInt(0) : octets_of(grad.sym_numel());
  TORCH_CHECK(state.scalar_type() == at::kByte && state.dim() == 2 && state.sym_size(0) == planes &&
                  state.sym_size(1) == octets && state.is_contiguous(),
              "fastgan::", kBackward, ": expected state of dtype uint8, contiguous and of shape [",
              planes, ", ", octets, "], got ", state.scalar_type(), " of shape ", state.sym_sizes(),
              " and strides ", state.sym_strides());
  TORCH_CHECK_VALUE(static_cast<int64_t>(stride.size()) == grad.dim(), "fastgan::", kBackward,
                    ": expected stride of length ", grad.dim(), ", got ", stride);
  // Refused before they are allocated: strides of one element too many may ask for terabytes.
  const std::optional<int64_t> elements = grad.sym_numel().maybe_as_int();
  for (int64_t dim = 0; dim < grad.dim(); ++dim) {
    TORCH_CHECK_VALUE(stride[dim] >= 0, "fastgan::", kBackward,
                      ": expected stride of no negative numbers, got ", stride);
    const std::optional<int64_t> step = stride[dim].maybe_as_int();
    TORCH_CHECK_VALUE(!step || !elements || *step <= *elements || grad.sym_size(dim) <= 1,
                      "fastgan::", kBackward, ": expected stride of a dense tensor of shape ",
                      grad.sym_sizes(), ", got ", stride);
  }
  Tensor grad_input = at::empty_strided_symint(grad.sym_sizes(), stride, grad.options());
  TORCH_CHECK_VALUE(grad_input.is_non_overlapping_and_dense(), "fastgan::", kBackward,
                    ": expected stride of a dense tensor of shape ", grad.sym_sizes(), ", got ",
                    stride);
  return grad_input;
}

Tensor backward_meta(const Tensor& grad, const Tensor& state, at::SymIntArrayRef stride, double,
                     double, bool has_active, bool has_positive) {
  return new_grad_input(grad, state, stride, has_active, has_positive);
}

Tensor backward(const Tensor& grad, const Tensor& state, at::IntArrayRef stride,
                double negative_slope, double scale, bool has_active, bool has_positive) {
  Tensor grad_input =
      new_grad_input(grad, state, c10::fromIntArrayRefSlow(stride), has_active, has_positive);
  if (grad.numel() == 0) return grad_input;
  const Tensor source = in_order_of(grad_input, grad);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, grad.scalar_type(), kBackward, [&] {
    BiasActDropoutBackward<scalar_t> params{};
    params.grad = source.const_data_ptr<scalar_t>();
    params.grad_input = grad_input.mutable_data_ptr<scalar_t>();
    const uint8_t* plane = state.const_data_ptr<uint8_t>();
    if (has_active) {
      params.active = plane;
      plane += octets_of(grad.numel());
    }
    if (has_positive) params.positive = plane;
    params.elements = grad.numel();
    params.factors = factors_of<Arithmetic<scalar_t>>(negative_slope, scale);
    run_octets(grad.device(), params, params.elements);
  });
  return grad_input;
}

void register_forward(torch::Library& m) {
  m.impl(kForward, TORCH_FN(bias_act_dropout));
  m.impl(kInplace, TORCH_FN(bias_act_dropout_));
}

void register_row(torch::Library& m) {
  register_forward(m);
  m.impl(kBackward, TORCH_FN(backward));
}

void register_meta(torch::Library& m) {
  register_forward(m);
  m.impl(kBackward, TORCH_FN(backward_meta));
}

}  // namespace

FASTGAN_REGISTER(register_row, register_meta)

// torch's fallback for lazily negated tensors takes the result of an in-place op for its input, and
// this one returns the state: the op itself says what is wrong.
TORCH_LIBRARY_IMPL(fastgan, Negative, m) {
  m.impl(kInplace, torch::CppFunction::makeFallthrough());
}

}  // namespace fastgan
