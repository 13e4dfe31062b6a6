#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/logical_and.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/where.h>

#include <limits>
#include <optional>
#include <utility>

#include "kernels/bce.h"
#include "ops/bce.h"

// Row bce: the derivatives that have no kernel, those with respect to the target and the second
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
  if (weight.has_value()) factor = factor * widened(*weight);
  return mean ? factor / input.sym_numel() : factor;
}

// Of one element's loss: the derivative with respect to the target, and those of its gradient (the
// derivative with respect to the input) with respect to input and target.
struct Derivatives {
  Tensor by_target;
  Tensor gradient_by_input;
  Tensor gradient_by_target;
};

inline Derivatives derivatives(const Tensor& input, const LogitSettings& settings) {
  const Tensor x = widened(input);
  const Tensor curvature = at::sigmoid(x) * at::sigmoid(-x);
  if (!settings.pos_weight.has_value()) return {-x, curvature, at::full_like(x, -1.0)};
  const Tensor weight = widened(*settings.pos_weight), target = target_of(input, settings);
  return {at::log_sigmoid(-x) - weight * at::log_sigmoid(x),
          curvature * (1.0 - target + weight * target),
          -(at::sigmoid(x) + weight * at::sigmoid(-x))};
}

// A clamped logarithm has derivative 0.
inline Derivatives derivatives(const Tensor& input, const ProbabilitySettings& settings) {
  const Tensor p = widened(input), target = target_of(input, settings);
  const double most = p.scalar_type() == at::kDouble ? std::numeric_limits<double>::max()
                                                     : std::numeric_limits<float>::max();
  const auto log_and_inverse = [most](const Tensor& p) {
    const Tensor unclamped = at::logical_and(p > 0.0, p >= kLeastUnclamped);
    const Tensor safe = at::where(unclamped, p, 1.0);
    return std::make_pair(at::where(unclamped, safe.log(), -kMostCost),
                          // Kept finite, as infinity times a target of 0 would be NaN.
                          at::where(unclamped, safe.reciprocal().clamp_max(most), 0.0));
  };
  const auto [log_p, by_p] = log_and_inverse(p);
  const auto [log_q, by_q] = log_and_inverse(1.0 - p);
  return {log_q - log_p, target * by_p * by_p + (1.0 - target) * by_q * by_q, -(by_p + by_q)};
}

}  // namespace fastgan
