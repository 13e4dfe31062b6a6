#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/logical_and.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <limits>
#include <optional>

#include "kernels/bce.h"
#include "ops/bce.h"

// Row bce: the derivatives that have no kernel, those by the target and pos_weight and the second
// ones. They are composed of torch's operations, so they can be differentiated again. Halves are
// computed in float32.

namespace fastgan {

inline Tensor widened(const Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? tensor : tensor.to(at::kFloat);
}

template <BceForm form>
Tensor target_of(const Tensor& input, const BceSettings<form>& settings) {
  return settings.target.has_value() ? widened(*settings.target)
                                     : at::full_like(widened(input), settings.target_value);
}

// What every element's loss is multiplied by: the incoming gradient, the weight and, for the mean,
// 1 / n.
inline Tensor factor_of(const Tensor& grad, const Tensor& input, const OptionalTensor& weight,
                        bool mean) {
  Tensor factor = widened(grad);
  if (weight.has_value()) factor = factor * *weight;
  return mean ? factor / input.sym_numel() : factor;
}

// The derivatives of one element's loss, without its weight, and of its gradient, which is the
// derivative by the input.
template <BceForm form>
struct Derivatives;

template <>
struct Derivatives<BceForm::kLogits> {
  Tensor x, target, pos_weight;  // pos_weight: undefined is 1

  Derivatives(const Tensor& input, const LogitSettings& settings)
      : x(widened(input)),
        target(target_of(input, settings)),
        pos_weight(settings.pos_weight.value_or(Tensor())) {}

  Tensor by_target() const {
    if (!pos_weight.defined()) return -x;
    return at::log_sigmoid(-x) - pos_weight * at::log_sigmoid(x);
  }

  // 0 at target 0, where the logarithm may be infinite.
  Tensor by_pos_weight() const {
    return at::where(target == 0.0, at::zeros_like(x), -target * at::log_sigmoid(x));
  }

  Tensor gradient_by_input() const {
    const Tensor curvature = at::sigmoid(x) * at::sigmoid(-x);
    return pos_weight.defined() ? curvature * (1.0 - target + pos_weight * target) : curvature;
  }

  Tensor gradient_by_target() const {
    if (!pos_weight.defined()) return at::full_like(x, -1.0);
    return -(at::sigmoid(x) + pos_weight * at::sigmoid(-x));
  }

  Tensor gradient_by_pos_weight() const { return -target * at::sigmoid(-x); }
};

template <>
struct Derivatives<BceForm::kProbabilities> {
  Tensor p, target;

  Derivatives(const Tensor& input, const ProbabilitySettings& settings)
      : p(widened(input)), target(target_of(input, settings)) {}

  Tensor by_target() const { return log_of(1.0 - p) - log_of(p); }

  Tensor gradient_by_input() const {
    const Tensor by_p = slope_of_log(p), by_q = slope_of_log(1.0 - p);
    return target * by_p * by_p + (1.0 - target) * by_q * by_q;
  }

  Tensor gradient_by_target() const { return -(slope_of_log(p) + slope_of_log(1.0 - p)); }

 private:
  static Tensor unclamped(const Tensor& p) {
    return at::logical_and(p > 0.0, p >= kLeastUnclamped);
  }

  static Tensor log_of(const Tensor& p) {
    const Tensor inside = unclamped(p);
    return at::where(inside, at::where(inside, p, 1.0).log(), -kMostCost);
  }

  // A clamped logarithm has derivative 0. The others are kept finite, as infinity times a target of
  // 0 would be NaN.
  static Tensor slope_of_log(const Tensor& p) {
    const double most = p.scalar_type() == at::kDouble ? std::numeric_limits<double>::max()
                                                       : std::numeric_limits<float>::max();
    const Tensor inside = unclamped(p);
    return at::where(inside, at::where(inside, p, 1.0).reciprocal().clamp_max(most), 0.0);
  }
};

}  // namespace fastgan
