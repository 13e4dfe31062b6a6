#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/split_with_sizes.h>
#include <c10/util/ArrayRef.h>

#include <cstdint>
#include <tuple>
#include <vector>

// Second derivatives of rows that are cut into scalars and segments are composed of torch's
// operations on one piece after the other. No penalty of a GAN takes them: it differentiates the
// discriminator by rows, not by what the rows were made from.

namespace fastgan {

// The constants of these rows' backward nodes.
struct ColumnConstants {
  int64_t scalars;
  std::vector<int64_t> widths;
  double tau;

  auto fields() { return std::tie(scalars, widths, tau); }
};

// The scalars, then each segment.
inline std::vector<at::Tensor> pieces_of(const at::Tensor& rows, const ColumnConstants& constants) {
  std::vector<int64_t> sizes{constants.scalars};
  sizes.insert(sizes.end(), constants.widths.begin(), constants.widths.end());
  return at::split_with_sizes(rows, sizes, /*dim=*/-1);
}

// In float32 for halves.
inline at::Tensor widened_rows(const at::Tensor& rows) {
  return rows.scalar_type() == at::kDouble ? rows : rows.to(at::kFloat);
}

}  // namespace fastgan
