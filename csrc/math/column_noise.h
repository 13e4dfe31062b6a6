#pragma once

#include <cstdint>

#include "macros.h"
#include "math/octet.h"
#include "math/philox.h"

// The random bits of row column_heads. An element in (row, entry), where entries are the columns
// behind the scalars, has 32 bits of its own: word entry % 4 of the Philox block whose 64-bit index
// has entry / 4 above the row. So they depend only on seed, offset, row and entry, not on the
// number of rows or columns.

namespace fastgan {

constexpr int kBlockEntries = 4;
constexpr int kRowBits = 40;
constexpr int64_t kMostEntries = kBlockEntries * (int64_t{1} << (63 - kRowBits));

// The index's upper 32 bits; the lower ones are the row's.
FASTGAN_HD uint32_t upper_index(int64_t row, int64_t block) {
  return static_cast<uint32_t>((static_cast<uint64_t>(block) << (kRowBits - 32)) |
                               (static_cast<uint64_t>(row) >> 32));
}

// The words of entries 4 * block .. 4 * block + 3 of a row.
FASTGAN_HD PhiloxBlock draw_entries(RandomKey key, int64_t row, int64_t block) {
  return draw_octet(key, static_cast<uint32_t>(row), upper_index(row, block));
}

// (word + 1/2) / 2^32, rounded, and in float32 at most the largest number below 1. Small ones,
// which make large noise, keep their relative accuracy.
constexpr float kWordScale = 1.0f / 4294967296.0f;
constexpr float kHalfWord = 0.5f / 4294967296.0f;
constexpr float kMostUniform = 1.0f - 1.0f / 16777216.0f;

template <class S>
FASTGAN_HD S uniform_of(uint32_t word) {
  const S number = static_cast<S>(word) * S(kWordScale) + S(kHalfWord);
  return sizeof(S) == sizeof(float) && number > S(kMostUniform) ? S(kMostUniform) : number;
}

}  // namespace fastgan
