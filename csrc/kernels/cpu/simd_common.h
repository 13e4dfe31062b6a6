#pragma once

#include <cstdint>

#include "math/octet.h"

// What the vector types of all instruction sets share.

namespace fastgan {

// CPU loops run over blocks of 16 octets, 128 elements: an AVX-512 vector holds a Philox word for
// each of 16 octets.
constexpr int kBlockOctets = 16;
constexpr int kBlock = kBlockOctets * kOctet;

// The bits of sqrt(1/2) in float32, for split_power().
constexpr int32_t kRootHalf = 0x3F3504F3;

template <class T, class Floats, class Doubles>
struct VectorFor {
  using type = Floats;
};

template <class Floats, class Doubles>
struct VectorFor<double, Floats, Doubles> {
  using type = Doubles;
};

}  // namespace fastgan
