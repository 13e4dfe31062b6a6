#pragma once

#include <cstdint>

#include "macros.h"
#include "math/philox.h"

namespace fastgan {

// Divides by a number that is known before, with a multiplication: Granlund and Montgomery,
// "Division by invariant integers using multiplication" (PLDI'94), figure 4.1. A GPU has no
// instruction that divides integers.
struct Divisor {
  static constexpr int64_t kMost = (int64_t{1} << 31) - 1;  // of the divisor and the dividend

  uint32_t divisor = 1;
  uint32_t multiplier = 1;
  uint32_t shift = 0;

  Divisor() = default;
  explicit Divisor(int64_t number) : divisor(static_cast<uint32_t>(number)) {
    while ((int64_t{1} << shift) < number) ++shift;
    const uint64_t above = (uint64_t{1} << shift) - divisor;
    multiplier = static_cast<uint32_t>((above << 32) / divisor + 1);
  }

  // The sum needs no 33rd bit, as a dividend has 31.
  FASTGAN_HD uint32_t quotient(uint32_t dividend) const {
    return (high_product(multiplier, dividend) + dividend) >> shift;
  }
};

}  // namespace fastgan
