#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "buffer.h"
#include "checks.h"
#include "kernels/column_layout.h"

// Layouts of a table's rows, for the drivers.

namespace fastgan {
namespace emulation {

struct Columns {
  int64_t scalars;
  std::vector<int> widths;

  std::string name() const {
    std::string text = std::to_string(scalars) + " scalars and segments of";
    for (const int width : widths) text += " " + std::to_string(width);
    return text;
  }
};

// Teams of 4, 8, 16 and 32 lanes; segments of one column, of more than a lane holds, and none.
inline const std::vector<Columns>& all_columns() {
  static const std::vector<Columns> columns{
      {2, {3, 1, 7}}, {0, {2}},      {70, {}},          {1, {6, 8, 5, 3}},
      {0, {1}},       {33, {17, 9}}, {5, {300, 2, 33}}, {0, {4, 4, 4, 4, 130}},
  };
  return columns;
}

// A ColumnLayout between guard bytes.
class Layout {
 public:
  explicit Layout(const Columns& columns)
      : segments_(static_cast<int64_t>(columns.widths.size())),
        entries_(sum(columns.widths)),
        scalars_(columns.scalars),
        starts_(segments_ + 1),
        owner_(entries_) {
    int32_t start = 0;
    for (int64_t s = 0; s < segments_; ++s) {
      starts_[s] = start;
      for (int i = 0; i < columns.widths[s]; ++i) owner_[start++] = static_cast<int32_t>(s);
    }
    starts_[segments_] = start;
  }

  ColumnLayout layout() {
    return {scalars_, segments_, scalars_ + entries_, starts_.data(), owner_.data()};
  }
  int64_t width() const { return scalars_ + entries_; }
  int64_t entries() const { return entries_; }

 private:
  static int64_t sum(const std::vector<int>& widths) {
    int64_t total = 0;
    for (const int width : widths) total += width;
    return total;
  }

  int64_t segments_, entries_, scalars_;
  Buffer<int32_t> starts_, owner_;
};

constexpr int64_t kThreadsOfBlock = kBlockOfCuda / kOctet;

constexpr int64_t kRows[] = {1, 7, 16, 33, 70};

// Rows of 8 columns, the last of which have numbers above 2^32. Those from kFarRow on have memory.
inline const Columns kFarColumns{2, {3, 3}};
constexpr int64_t kFarRow = kFarFirst / 8, kFarRows = kFarElements / 8;

}  // namespace emulation
}  // namespace fastgan
