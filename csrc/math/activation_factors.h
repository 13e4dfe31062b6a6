#pragma once

namespace fastgan {

// The constants of activate() and activate_backward() (math/activation.h), S a number or a vector
// that holds it in each lane. Backward, the two factors hold the whole product gain * slope *
// dropout's scale.
template <class S>
struct ActivationFactors {
  S zero;
  S positive;     // gain, times dropout's scale where there is no clamp
  S nonpositive;  // the same, times negative_slope
  S clamp;
  S scale;          // dropout's, where there is a clamp
  bool zero_slope;  // nonpositive is exactly 0
  bool has_clamp;
};

}  // namespace fastgan
