#pragma once

namespace fastgan {

// Constants of activate() and activate_backward() (math/activation.h). S is a number, or a vector
// with the number in every lane.
template <class S>
struct ActivationFactors {
  S zero;
  // Forward: gain, times dropout's scale where there is no clamp. Backward: gain * dropout's scale.
  S positive;
  S nonpositive;  // positive * negative_slope
  S clamp;
  S scale;          // dropout's scale, applied after the clamp; read only where has_clamp
  bool zero_slope;  // nonpositive is exactly 0
  bool has_clamp;
};

}  // namespace fastgan
