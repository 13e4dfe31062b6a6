#pragma once

#include <tuple>

#include "ops/op.h"

// Row bce: its ops (ops/op.h) and their settings, for logits and for probabilities.

namespace fastgan {

enum class BceForm { kLogits, kProbabilities };

inline const OptionalTensor kNoTensor;

// The arguments that all ops of a form share, besides the input. Valid during the call.
template <BceForm form>
struct BceSettings {
  const OptionalTensor& target;
  double target_value;  // every element's target where there is no tensor
  // The weights have the dtype of the arithmetic: float32 for halves.
  const OptionalTensor& weight;
  const OptionalTensor& pos_weight = kNoTensor;  // logits only

  auto fields() const {
    if constexpr (form == BceForm::kLogits) {
      return std::tie(target, target_value, weight, pos_weight);
    } else {
      return std::tie(target, target_value, weight);
    }
  }
};

using LogitSettings = BceSettings<BceForm::kLogits>;
using ProbabilitySettings = BceSettings<BceForm::kProbabilities>;

// The arguments before the settings are the input, or grad and input; the bool after them is
// `mean`: the mean of the losses or, if false, their sum.
namespace ops {

struct bce_with_logits : Op<bce_with_logits, Tensor(const Tensor&), LogitSettings> {
  static constexpr const char* kName = "bce_with_logits";
};

struct bce_with_logits_reduced
    : Op<bce_with_logits_reduced, Tensor(const Tensor&), LogitSettings, bool> {
  static constexpr const char* kName = "bce_with_logits_reduced";
};

struct bce_with_logits_backward
    : Op<bce_with_logits_backward, Tensor(const Tensor&, const Tensor&), LogitSettings, bool> {
  static constexpr const char* kName = "bce_with_logits_backward";
};

struct bce : Op<bce, Tensor(const Tensor&), ProbabilitySettings> {
  static constexpr const char* kName = "bce";
};

struct bce_reduced : Op<bce_reduced, Tensor(const Tensor&), ProbabilitySettings, bool> {
  static constexpr const char* kName = "bce_reduced";
};

struct bce_backward
    : Op<bce_backward, Tensor(const Tensor&, const Tensor&), ProbabilitySettings, bool> {
  static constexpr const char* kName = "bce_backward";
};

}  // namespace ops

template <BceForm form>
struct BceOps;

template <>
struct BceOps<BceForm::kLogits> {
  using Elementwise = ops::bce_with_logits;
  using Reduced = ops::bce_with_logits_reduced;
  using Backward = ops::bce_with_logits_backward;
};

template <>
struct BceOps<BceForm::kProbabilities> {
  using Elementwise = ops::bce;
  using Reduced = ops::bce_reduced;
  using Backward = ops::bce_backward;
};

}  // namespace fastgan
