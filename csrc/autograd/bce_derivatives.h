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

// Row bce: the derivatives that have no kernel, those by the target and the second ones. Composed
// from torch's operations, so that they are differentiable again; the halves in float32.

namespace fastgan {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

struct LogitForm {};
struct ProbabilityForm {};

// One element's loss, but for the reduction: the arguments that all ops of the row share.
struct Terms {
  Tensor input;
  OptionalTensor target;
  double target_value;
  OptionalTensor weight;
  OptionalTensor pos_weight;
};

inline Tensor widened(const Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? tensor : tensor.to(at::kFloat);
}

inline Tensor target_of(const Terms& of) {
  const Tensor x = widened(of.input);
  return of.target.has_value() ? widened(*of.target) : at::full_like(x, of.target_value);
}

// What multiplies every element's loss: the gradient that came in, the weight and, for the mean,
// 1 / n.
inline Tensor factor_of(const Tensor& grad, const Terms& of, bool mean) {
  Tensor factor = widened(grad);
  if (of.weight.has_value()) factor = factor * widened(*of.weight);
  return mean ? factor / of.input.sym_numel() : factor;
}

// Derivatives of one element's loss: by the target, and of its gradient by input and by target.
struct Derivatives {
  Tensor by_target;
  Tensor gradient_by_input;
  Tensor gradient_by_target;
};

inline Derivatives derivatives(LogitForm, const Terms& of) {
  const Tensor x = widened(of.input);
  const Tensor curvature = at::sigmoid(x) * at::sigmoid(-x);
  if (!of.pos_weight.has_value()) return {-x, curvature, at::full_like(x, -1.0)};
  const Tensor weight = widened(*of.pos_weight), target = target_of(of);
  return {at::log_sigmoid(-x) - weight * at::log_sigmoid(x),
          curvature * (1.0 - target + weight * target),
          -(at::sigmoid(x) + weight * at::sigmoid(-x))};
}

// A clamped logarithm has derivative 0, and takes none of the infinities beside it.
inline Derivatives derivatives(ProbabilityForm, const Terms& of) {
  const Tensor p = widened(of.input), target = target_of(of);
  const double most = p.scalar_type() == at::kDouble ? std::numeric_limits<double>::max()
                                                     : std::numeric_limits<float>::max();
  const auto log_and_inverse = [most](const Tensor& p) {
    const Tensor unclamped = at::logical_and(p > 0.0, p >= kLeastUnclamped);
    const Tensor safe = at::where(unclamped, p, 1.0);
    return std::make_pair(at::where(unclamped, safe.log(), -kMostCost),
                          // Infinity times a target of 0 would be NaN.
                          at::where(unclamped, safe.reciprocal().clamp_max(most), 0.0));
  };
  const auto [log_p, by_p] = log_and_inverse(p);
  const auto [log_q, by_q] = log_and_inverse(1.0 - p);
  return {log_q - log_p, target * by_p * by_p + (1.0 - target) * by_q * by_q, -(by_p + by_q)};
}

}  // namespace fastgan
