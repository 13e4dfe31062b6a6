#pragma once

#include <cstdint>

#include "macros.h"

namespace fastgan {

// How a row of a table is cut: scalars, then segments of at least one column, each of which is a
// one-hot vector or its logits. The columns of all segments are the row's ENTRIES. The arrays lie
// in the memory of the device whose kernels read them.
struct ColumnLayout {
  int64_t scalars;
  int64_t segments;
  int64_t width;          // scalars and entries
  const int32_t* starts;  // [segments + 1]: the first entry of each, and the number of entries
  const int32_t* owner;   // [entries]: the segment of each

  FASTGAN_HD int64_t entries() const { return width - scalars; }
};

// CPU: rows that lie side by side in vectors. Threads share out whole groups.
constexpr int64_t kRowGroup = 16;

inline int64_t row_groups(int64_t rows) { return (rows + kRowGroup - 1) / kRowGroup; }

}  // namespace fastgan
