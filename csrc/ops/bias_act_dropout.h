#pragma once

#include <c10/core/SymInt.h>
#include <c10/core/SymIntArrayRef.h>

#include <cstdint>
#include <optional>
#include <tuple>

#include "kernels/bias_act_dropout.h"
#include "math/octet.h"
#include "ops/op.h"

// Row bias_act_dropout: its ops (ops/op.h) and their settings.

namespace fastgan {

// The constants of the backward, which is linear in the gradient.
struct BiasActDropoutBackwardSettings {
  c10::SymIntArrayRef stride;  // of grad_input
  double negative_slope;
  double scale;  // gain * dropout's scale
  bool has_active;
  bool has_positive;

  auto fields() const { return std::tie(stride, negative_slope, scale, has_active, has_positive); }
};

// What one call of the forward asks for. Valid during the call.
struct BiasActDropoutSettings {
  const OptionalTensor& bias;
  int64_t channel_dim;  // of bias
  double negative_slope;
  double gain;
  std::optional<double> clamp;
  double p;
  bool feature;
  // Symbolic while torch.compile traces, so that a new seed does not recompile.
  const std::optional<c10::SymInt>& seed;
  const c10::SymInt& offset;
  const std::optional<at::Generator>& generator;
  bool needs_state;

  auto fields() const {
    return std::tie(bias, channel_dim, negative_slope, gain, clamp, p, feature, seed, offset,
                    generator, needs_state);
  }

  uint32_t threshold() const { return dropout_threshold(p); }

  Planes planes() const { return planes_of(negative_slope, clamp.has_value(), threshold()); }

  BiasActDropoutBackwardSettings backward(c10::SymIntArrayRef stride) const {
    return {stride, negative_slope, gain * dropout_scale(threshold()), planes().active,
            planes().positive};
  }
};

namespace ops {

struct bias_act_dropout
    : Op<bias_act_dropout, std::tuple<Tensor, Tensor>(const Tensor&), BiasActDropoutSettings> {
  static constexpr const char* kName = "bias_act_dropout";
};

struct bias_act_dropout_ : Op<bias_act_dropout_, Tensor(Tensor&), BiasActDropoutSettings> {
  static constexpr const char* kName = "bias_act_dropout_";
};

struct bias_act_dropout_backward
    : Op<bias_act_dropout_backward, Tensor(const Tensor&, const Tensor&),
         BiasActDropoutBackwardSettings> {
  static constexpr const char* kName = "bias_act_dropout_backward";
};

}  // namespace ops
}  // namespace fastgan
