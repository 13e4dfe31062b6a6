#pragma once

#include <c10/util/ArrayRef.h>

#include <cstdint>
#include <tuple>

#include "ops/op.h"

// Row condition_loss: its ops (ops/op.h) and their settings.

namespace fastgan {

// Valid during the call.
struct ConditionLossSettings {
  int64_t scalars;
  c10::IntArrayRef widths;

  auto fields() const { return std::tie(scalars, widths); }
};

namespace ops {

// Of (input, conditions).
struct condition_loss
    : Op<condition_loss, Tensor(const Tensor&, const Tensor&), ConditionLossSettings> {
  static constexpr const char* kName = "condition_loss";
};

// Of (grad, input, conditions).
struct condition_loss_backward
    : Op<condition_loss_backward, Tensor(const Tensor&, const Tensor&, const Tensor&),
         ConditionLossSettings> {
  static constexpr const char* kName = "condition_loss_backward";
};

}  // namespace ops
}  // namespace fastgan
